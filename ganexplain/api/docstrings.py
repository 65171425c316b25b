"""Docstrings of the functions, made from the help texts of the commands."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from textwrap import fill, indent
from typing import Any

from ganexplain.api.arguments import Argument, in_python
from ganexplain.config import OTHERS, STAGES

WIDTH = 96  # with the indent of a function
OPTIONS = {
    "out": "Run directory to write; None: a temporary one.",
    "overwrite": "Replace the output of an earlier run.",
    "resume": "Continue an earlier run in `out`; if there is none, start one.",
    "executor": "Executor of concurrent.futures, Dask or another that does the work.",
    "progress": "True: progress as of the command; or a function, which is called with what is "
    "done, of how much, and a value such as the loss (NaN without one).",
}
RAISES = """
UsageError: A setting or an input cannot be used.
GanexplainError: The command fails; the message names the file and the remedy.
"""
EXAMPLES = {
    "train-classifier": """
>>> trained = train_classifier("sample_data", preset="quick", epochs=1, updates_per_epoch=2)
>>> trained.classes
('nosing', 'sing')
""",
    "predict": """
>>> network = "sample_data/pretrained/classifier.pt"
>>> found = predict("sample_data/audio/gig_lea_soul.ogg", network)
>>> round(found.result.recordings[0].seconds)
26
""",
    "train-gan": """
>>> gan = train_gan("sample_data", steps=2, sample_every=2, autoencoder_steps=0,
...                 encoder_steps=1)
>>> gan.generate(3).shape
(3, 80, 115)
""",
    "responses": """
>>> network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
>>> real = responses("sample_data", network, "sing", top=4, hop_frames=40)
>>> real.inputs.shape
(4, 80, 115)
""",
    "explain": """
>>> network, gan = "sample_data/pretrained/classifier.pt", "sample_data/pretrained/gan.pt"
>>> found = explain(network, gan, "sing", learning_rate=0.1, prior_weight=0.01,
...                 iterations=(1, 5), examples=4)
>>> found.inputs.shape
(2, 4, 80, 115)
""",
    "select": """
>>> ranking = select(found, responses=real, controls=False)  # of `explain` and `responses`
>>> len(ranking.units[0].scores)
2
""",
    "validate": """
>>> tested = validate(found, ranking, "sample_data", hop_frames=2)
>>> tested.result.units[0].layer
'fc9'
""",
    "report": """
>>> page = write_report(found, ranking, examples=1, heard=0, griffin_lim_iterations=1)
>>> page.result.name
'report.html'
""",
    "attribute": """
>>> why = attribute("sample_data/audio/gig_lea_soul.ogg@2.65", network, method="occlusion")
>>> why.map.shape, why.weights.shape
((80, 115), (24,))
""",
    "counterfactual": """
>>> flipped = counterfactual("sample_data/audio/gig_lea_soul.ogg@3.5", network,
...                          iterations=12)
>>> flipped.arrays["edit_db"].shape
(1, 80, 115)
""",
    "false-alarms": """
>>> alarms = false_alarms("sample_data/audio", network, most=1, segments="2x4", edits=False,
...                       generated=0)
>>> alarms.result.classes[0].name
'sing'
""",
    "input": """
>>> described = describe_input("librosa", "sample_data/audio/gig_lea_soul.ogg")
>>> described.result.input["sample_rate"]
22050
""",
    "rerun": """
>>> again = rerun(page.out)  # of `write_report`
>>> again.result.equal
True
""",
    "label-stems": """
>>> manifest = label_stems("musdb18hq")  # doctest: +SKIP
>>> train_classifier(manifest)  # doctest: +SKIP
""",
    "run": """
>>> whole = run("sample_data", network, out="runs/python")  # doctest: +SKIP
>>> whole.explanation.inputs.shape  # doctest: +SKIP
(31, 24, 80, 115)
""",
    "demo": """
>>> demo(out="runs/demo").page.result  # doctest: +SKIP
PosixPath('runs/demo/report/report.html')
""",
    "train-explainer": """
>>> explainer = train_explainer("sample_data", network, examples=2, held_out=2, shuffled=0,
...                             steps=1, occlusion_grid=2)
>>> explainer.result.path.name
'explainer.pt'
""",
}


def docstring(command: str, own: Sequence[Argument], more: Sequence[str], record: type[Any]) -> str:
    """The docstring of a command's function, with Args, Returns, Raises and an example.

    `own` are the arguments for its settings, `more` the names of others.
    """
    config = (STAGES | OTHERS)[command][0]
    paragraphs = inspect.cleandoc(config.__doc__ or "").split("\n\n")
    names = [each.name for each in own]
    kept = [in_words(text, names) for text in paragraphs if not text.startswith("`ganexplain ")]
    described = {each.name: in_words(each.help, names) for each in own}
    described |= {name: OPTIONS[name] for name in more}
    if command == "input":
        described["out"] = "TOML file to write; None: a temporary one."
    arguments = [f"{name}: {meaning}" for name, meaning in described.items()]
    returned = f"{record.__name__}: {inspect.cleandoc(record.__doc__ or '')}"
    for section in ("Attributes", "Shape"):  # no sections of the function
        returned = returned.replace(f"\n\n{section}:", f"\n\n{section} of it:")
    first, *rest = returned.split("\n\n", 1)
    returned = "\n\n".join([filled(first, WIDTH - 4), *rest])
    return "\n\n".join(
        [
            *map(filled, kept),
            "Args:\n" + "\n".join(fill(each, WIDTH, initial_indent="    ",
                                       subsequent_indent="        ") for each in arguments),
            f"Returns:\n{indent(returned, '    ')}",
            f"Raises:\n{indent(RAISES.strip(), '    ')}",
            f"Example:\n{indent(EXAMPLES[command].strip(), '    ')}",
        ]
    )  # fmt: skip


def filled(text: str, width: int = WIDTH) -> str:
    """A paragraph in lines."""
    return fill(" ".join(text.split()), width)


def in_words(text: str, names: Collection[str]) -> str:
    """A help text about the arguments `names` in place of options."""
    return in_python(text.replace("repeat for several", "a sequence for several"), names)
