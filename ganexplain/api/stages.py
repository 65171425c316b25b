"""Every command as a function: settings in, the record of its run out.

Signatures and docstrings are made from the settings in `config/`; `stages.pyi` has them for
editors and type checkers, and is written by `python docs/build/stubs.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ganexplain.api.arguments import STANDS_FOR, arguments_of
from ganexplain.api.docstrings import docstring
from ganexplain.api.records import (
    Attribution,
    Counterfactual,
    Described,
    Explainer,
    FalseAlarms,
    File,
    Page,
    Predicted,
    Rerun,
    TrainedClassifier,
    TrainedGan,
    Validated,
)
from ganexplain.api.runs import IN_PLACE, Run, run_command
from ganexplain.api.units import Explanation, Responses, Selection
from ganexplain.api.whole import WholeRun
from ganexplain.config import OTHERS, STAGES
from ganexplain.errors import did_you_mean

RECORDS: dict[str, type[Run[Any]]] = {
    "train-classifier": TrainedClassifier,
    "predict": Predicted,
    "train-gan": TrainedGan,
    "counterfactual": Counterfactual,
    "false-alarms": FalseAlarms,
    "responses": Responses,
    "explain": Explanation,
    "train-explainer": Explainer,
    "select": Selection,
    "validate": Validated,
    "attribute": Attribution,
    "report": Page,
    "input": Described,
    "rerun": Rerun,
    "label-stems": File,
    "run": WholeRun,
    "demo": WholeRun,
}

WHOLE = ("run", "demo")  # they go through several stages


def run_arguments(command: str, config: type[Any]) -> dict[str, tuple[str, object]]:
    """The arguments that all functions have, and those of a command that can be resumed."""
    divides = hasattr(config, "scheduler_file")
    resumes = divides or hasattr(config, "checkpoint_every")
    return {
        **({} if command in IN_PLACE else {"out": ("PathName | None", None)}),
        "overwrite": ("bool", False),
        **({"resume": ("bool", False)} if resumes else {}),
        **({"executor": ("Executor | None", None)} if divides and command not in WHOLE else {}),
        "progress": ("bool | ProgressCallback", False),
    }


def function_of(command: str) -> Callable[..., Any]:
    """The function of a command."""
    (config, stage), record = (STAGES | OTHERS)[command], RECORDS[command]
    own = arguments_of(config)
    more = run_arguments(command, config)
    kinds = {True: inspect.Parameter.POSITIONAL_OR_KEYWORD, False: inspect.Parameter.KEYWORD_ONLY}
    parameters = [
        inspect.Parameter(
            each.name,
            kinds[each.positional],
            default=inspect.Parameter.empty if each.is_required else each.default,
            annotation=each.type,
        )
        for each in own
    ] + [
        inspect.Parameter(name, kinds[False], default=default, annotation=kind)
        for name, (kind, default) in more.items()
    ]
    signature = inspect.Signature(parameters, return_annotation=record.__name__)

    name = stage.rpartition(":")[2]

    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}(): {error}{_instead(error, kwargs, signature)}") from None
        return run_command(command, record, given)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__doc__ = docstring(command, own, list(more), record)
    return function


def _instead(error: TypeError, given: Iterable[str], signature: inspect.Signature) -> str:
    """The argument that is meant by the unknown one of `given` that an error names, in words."""
    known = signature.parameters
    wrong = next((each for each in given if each not in known and repr(each) in str(error)), "")
    instead = STANDS_FOR.get(wrong, "")
    if instead in known:
        return f" (did you mean {instead!r}?)"
    return did_you_mean(wrong, known) if wrong else ""


train_classifier = function_of("train-classifier")
predict = function_of("predict")
train_gan = function_of("train-gan")
counterfactual = function_of("counterfactual")
false_alarms = function_of("false-alarms")
responses = function_of("responses")
explain = function_of("explain")
train_explainer = function_of("train-explainer")
select = function_of("select")
validate = function_of("validate")
attribute = function_of("attribute")
write_report = function_of("report")
describe_input = function_of("input")
rerun = function_of("rerun")
label_stems = function_of("label-stems")
run = function_of("run")
demo = function_of("demo")
