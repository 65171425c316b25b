"""The command line: options to a config, a config to a stage, its result to stdout.

The only module that prints results and sets the exit status. Options are made from the
fields of the configs; nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_type_hints

import typer

from ganexplain import config
from ganexplain.cli.early import refuse_early
from ganexplain.cli.errors import one_line_errors
from ganexplain.cli.options import (
    command_class,
    common_options,
    field_option,
    in_order,
    option,
    was_set,
)
from ganexplain.cli.results import (
    print_result,
    show_attributions,
    show_counterfactuals,
    show_demo,
    show_differences,
    show_explainer,
    show_false_alarms,
    show_input,
    show_layers,
    show_path,
    show_paths,
    show_plain_path,
    show_predictions,
    show_ranking,
    show_validation,
)
from ganexplain.errors import UsageError
from ganexplain.runs.cores import limit_threads
from ganexplain.runs.distributed import process_group, rank_and_world_size
from ganexplain.runs.environment import (
    check_current_folder,
    discard_unwritable_output,
    prepare_process,
    set_cache_dirs,
)
from ganexplain.runs.interrupts import end_process
from ganexplain.runs.machine import hide_library_warnings, keep_freed_memory
from ganexplain.runs.progress import stderr_progress
from ganexplain.stages import load_stage, with_files_of_the_hub
from ganexplain.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
Options = dict[str, Any]  # values of a command line by name
INTERRUPTED = (130, 143)  # exit statuses of a command that Ctrl-C or SIGTERM ended


def main() -> None:
    """Entry point of the `ganexplain` command, which ends the process."""
    try:
        command_line()
    except SystemExit as end:
        if end.code in INTERRUPTED:
            end_process(end.code)
        raise


def command_line() -> None:
    """Run the command of `sys.argv`; SystemExit has its status."""
    prepare_process()
    try:
        with one_line_errors():  # of reading the command line; the command has its own
            app()
    except SystemExit as end:
        if _only_its_reader_is_gone(end):
            raise SystemExit(0) from None
        raise
    finally:
        discard_unwritable_output()


def _only_its_reader_is_gone(end: SystemExit) -> bool:
    """Whether a command ends because its help was not read to the end, as by `| head`."""
    cause = end.__context__
    return isinstance(cause, BrokenPipeError) and cause.__context__ is None


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ganexplain {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What has an audio network learned? A GAN generates inputs that drive its neurons.

    demo makes a first report, and run goes from recordings to a report in one command.
    train-classifier, train-gan, explain, select and report each read the output of the commands
    before. predict applies a classifier to recordings; input describes
    what a network takes; layers lists the layers of a network;
    responses finds the excerpts of a corpus that drive a unit; validate tests what can be
    predicted with the examples of a run; attribute explains single
    decisions, also with networks from train-explainer; counterfactual finds what would have to
    change for another decision; false-alarms finds sounds that are taken for a class, and what in
    them is the cause; label-stems makes a corpus; rerun repeats a run and compares.
    """


@contextmanager
def _one_of_several(given: Options, under_torchrun: str) -> Iterator[bool]:
    """Join the processes that torchrun started; whether this is the first, which alone reports.

    A stage that goes `together` writes one run directory, so the others work in a folder that
    is gone afterwards; one that goes `apart` shares its work out by itself.
    """
    rank, world = rank_and_world_size()
    if world > 1 and not under_torchrun:
        raise UsageError(
            "torchrun divides only trainings and explain; start this command without it"
        )
    if under_torchrun != "together":
        yield rank == 0
        return
    with process_group(), ExitStack() as kept:
        if rank:
            scratch = Path(kept.enter_context(TemporaryDirectory()))
            given |= {"out": scratch / "run", "overwrite": False, "resume": False}
        yield rank == 0


@dataclass(frozen=True)
class Command:
    """A command whose options are the fields of `config_class`, run by `module:function`.

    Its result is what it `writes` into a run directory, else what it `prints` or `prints a path`
    of; `show` prints it. What can run `under_torchrun` can be resumed, and so can what `resumes`.
    `plan` is the `module:function` of what --dry-run prints besides the settings.
    """

    name: str
    config_class: type
    stage: str
    show: Callable[[Any, bool], None]
    result: str = "writes"
    under_torchrun: str = ""
    resumes: bool = False
    plan: str = ""

    def __call__(self, context: typer.Context, **given: Any) -> None:
        """Do what the options say."""
        settings = self.settings(context, given)
        if given["dry_run"] and not self.plan:
            self.print_settings(settings)
            return
        keep_freed_memory()
        hide_library_warnings()
        limit_threads()
        if given["dry_run"]:
            self.print_plan(settings, given)
        else:
            self.run(settings, given)

    def settings(self, context: typer.Context, given: Options) -> Any:
        """The settings in effect: options, files and presets."""
        values = {f.name: given[f.name] for f in fields(self.config_class)}
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        named = {name for name in values if was_set(context, name)}
        with one_line_errors():
            return config.with_preset(self.config_class, values, named)

    def run(self, settings: Any, given: Options) -> None:
        """Run the stage and print its result."""
        mended = one_line_errors("skip_bad_files" in given, "resume" in given)
        with mended, _one_of_several(given, self.under_torchrun) as first:
            check_current_folder()
            where = {k: given[k] for k in ("out", "resume", "overwrite") if k in given}
            refuse_early(self.name, settings, **where)
            set_cache_dirs()
            found = self._result(
                self.stage, settings, given["quiet"] or not first, **{"overwrite": False, **where}
            )
            if first:
                self.show(found, given.get("as_json", False))

    def print_settings(self, settings: Any) -> None:
        """Print the settings as a file for --config."""
        with one_line_errors():
            print_result(config.toml_text(self.name, settings).removesuffix("\n"))

    def print_plan(self, settings: Any, given: Options) -> None:
        """Print the settings, and the plan as comments, so that the output is a file of settings.

        Nothing is printed if there is no plan.
        """
        with one_line_errors("skip_bad_files" in given, "resume" in given):
            check_current_folder()
            where = {k: given[k] for k in ("out", "resume", "overwrite")}
            refuse_early(self.name, settings, **where)
            set_cache_dirs()
            plan = self._result(self.plan, settings, given["quiet"], **where)
        self.print_settings(settings)
        for line in plan.splitlines():
            print_result(f"# {line}")

    def _result(self, place: str, settings: Any, quiet: bool, **where: Any) -> Any:
        """What a function of a stage returns."""
        with stderr_progress(quiet) as progress:
            settings_here = with_files_of_the_hub(settings, progress)
            function = load_stage(place)
            # What a network of the user's own prints is no result.
            with redirect_stdout(sys.stderr), config.options_named(settings):
                return function(settings_here, progress=progress, **where)

    def add(self) -> None:
        """Add it to the command line."""
        kinds = get_type_hints(self.config_class)
        parameters = [
            *(field_option(f, kinds[f.name]) for f in fields(self.config_class)),
            *common_options(
                self.result, getattr(self.config_class, "OUT", MISSING), bool(self.plan)
            ),
        ]
        if self.under_torchrun or self.resumes:
            meaning = "Continue an earlier run in --out; if there is none, start one."
            parameters.append(option("resume", bool, False, typer.Option("--resume", help=meaning)))
        own = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        def command(context: typer.Context, **given: Any) -> None:
            self(context, **given)

        ordered = [own, *in_order(parameters, self.config_class)]
        command.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
        without_docstrings = sys.flags.optimize > 1  # a dataclass then has its signature there
        command.__doc__ = None if without_docstrings else self.config_class.__doc__
        app.command(self.name, cls=command_class(self.config_class))(command)


def _add_stage(name: str, show: Callable[[Any, bool], None], **how: Any) -> None:
    """Add the command of a stage; `how` are further fields of `Command`."""
    config_class, stage = (config.STAGES | config.OTHERS)[name]
    Command(name, config_class, stage, show, **how).add()


Command("demo", config.DemoConfig, "demo:demo", show_demo, resumes=True, plan="demo:plan").add()
Command("run", config.RunConfig, "run:run", show_path, resumes=True, plan="run:plan").add()
_add_stage("train-classifier", show_path, under_torchrun="together")
_add_stage("train-gan", show_path, under_torchrun="together")
_add_stage("explain", show_paths, under_torchrun="apart")
_add_stage("select", show_ranking, resumes=True)
_add_stage("report", show_path, resumes=True)
_add_stage("predict", show_predictions, resumes=True)
_add_stage("input", show_input, result="writes a file")
Command("layers", config.LayersConfig, "layers:layers", show_layers, result="prints").add()
_add_stage("responses", show_paths, resumes=True)
_add_stage("validate", show_validation)
_add_stage("attribute", show_attributions, resumes=True)
_add_stage("train-explainer", show_explainer, under_torchrun="together")
_add_stage("counterfactual", show_counterfactuals, resumes=True)
_add_stage("false-alarms", show_false_alarms, resumes=True)
_add_stage("label-stems", show_plain_path, result="prints a path")
_add_stage("rerun", show_differences)
