"""The command line: options to a config, a config to a stage, its result to stdout.

The only module that prints results and sets the exit status. Options are made from the
fields of the configs; nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import errno
import inspect
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import MISSING, Field, fields
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from ganexplain import config
from ganexplain.errors import (
    DISK_FULL,
    NO_SPACE,
    BadFile,
    GanexplainError,
    Terminated,
    UsageError,
    did_you_mean,
    no_memory,
    shown,
    terminal_safe,
)
from ganexplain.files.bounded import read_toml
from ganexplain.runs.cores import limit_threads
from ganexplain.runs.distributed import place, process_group
from ganexplain.runs.environment import check_folder, give_up_full_streams, settle, settle_libraries
from ganexplain.runs.interrupts import end_at_once, interrupts_raised
from ganexplain.runs.machine import keep_freed_memory, quiet_libraries
from ganexplain.runs.progress import progress_on_stderr
from ganexplain.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = (130, 143)  # exit statuses of a command that Ctrl-C or SIGTERM ended
WIDTH = 100  # characters of a table's line where no terminal says how many it has


def main() -> None:
    """Entry point of the `ganexplain` command, which ends the process."""
    try:
        command_line()
    except SystemExit as end:
        if end.code in INTERRUPTED:
            end_at_once(end.code)
        raise


def command_line() -> None:
    """Run the command of `sys.argv`; SystemExit has its status."""
    settle()
    try:
        with _one_line_errors():  # of reading the command line; the command has its own
            app()
    except SystemExit as end:
        if _only_its_reader_is_gone(end):
            raise SystemExit(0) from None
        raise
    finally:
        give_up_full_streams()


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
    """What has an audio network learned? Inputs that drive a neuron, drawn by a GAN.

    train-classifier, train-gan, explain, select, report: each reads the files of those before;
    predict runs a classifier on recordings, layers lists what can be explained of a network,
    responses finds what drives its units in a corpus, attribute says why it decided as it did,
    by explainers of train-explainer too, counterfactual what would have to change for another
    decision; label-stems makes a corpus; rerun repeats a run and compares.
    """


# --- results on stdout --------------------------------------------------------------------


def _print(text: object) -> None:
    """Print a result; GanexplainError where it cannot be, but for a reader that has gone.

    What files put into it can give a terminal no commands.
    """
    try:
        typer.echo(terminal_safe(str(text)))
        sys.stdout.flush()
    except OSError as error:
        give_up_full_streams()
        if error.errno != errno.EPIPE:  # as of `| head`: what is asked for is done
            raise GanexplainError(
                f"standard output cannot be written ({error.strerror}); send it elsewhere"
            ) from error


def _print_line(text: str) -> None:
    """Print a line to stderr, where there is anyone to read it."""
    with suppress(OSError):
        typer.echo(text, err=True)


def _show_path(path: Path, as_json: bool) -> None:
    if as_json:
        run = json.loads((path.parent / "run.json").read_text())
        _print(json.dumps({"path": str(path), **run["results"]}, indent=2))
    else:
        _print(path)


def _show_paths(paths: list[Path], as_json: bool) -> None:
    if as_json:
        _print(json.dumps({"paths": [str(path) for path in paths]}, indent=2))
    else:
        _print("\n".join(map(str, paths)))


def _show_ranking(documents: list[dict[str, Any]], as_json: bool) -> None:
    from ganexplain.report.tables import attributions_table, chosen_table, ranking_table

    one = documents[0] if len(documents) == 1 else None
    if as_json:
        _print(json.dumps(one or {"units": documents}, indent=2))
    elif one and one.get("kind") == "attributions":
        _print(attributions_table(one))
    else:
        width = shutil.get_terminal_size((WIDTH, 24)).columns
        _print(ranking_table(one, width) if one else chosen_table(documents, width))


def _show_predictions(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(document, indent=2))
        return
    if "table" in document:  # of pictures
        for entry in document["files"]:
            share = 100 * entry["probabilities"][entry["class"]]
            _print(f"{entry['file']}\t{entry['class']} {share:.1f} %")
        return
    shown = document["classes"][1:] if len(document["classes"]) == 2 else document["classes"]
    for entry in document["files"]:
        shares = [f"{name} {100 * entry['shares'][name]:.1f} %" for name in shown]
        _print("\t".join([entry["lab"], *shares]))


def _show_counterfactuals(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(document, indent=2))
        return
    for entry in document["excerpts"]:
        before, redrawn, after, retouched = entry["responses"].values()
        sides, count, change = entry["sides"], entry["iterations"], entry["change"]
        way = f"after {count} iterations" if count >= 0 else "never changed side"
        ranges = ", ".join(f"{name} {by:+.1f}" for name, by in change["ranges_db"].items())
        hz, seconds = ("{}-{}".format(*change[key]) for key in ("band_hz", "time_s"))
        fields = [
            entry["excerpt"],
            f"{sides['original']} {before:.2f}, redrawn {redrawn:.2f}, "
            f"{sides['counterfactual']} {after:.2f} {way}",
            f"the recording so changed: {sides['retouched']} {retouched:.2f}",
            f"latent moved {entry['moved']:.2f}",
            f"{ranges} dB",
            f"most at {hz} Hz ({change['band_db']:+.1f} dB), {seconds} s",
            "excerpt from {:.2f} to {:.2f} s".format(*entry["span_s"]),
        ]
        _print("\t".join(fields))


def _show_attributions(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(document, indent=2))
        return
    _print("\n".join([document["report"], *document["table"]]))


def _show_explainer(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(document, indent=2))
        return
    _print("\n".join([document["path"], *document["table"]]))


def _show_layers(document: dict[str, Any], as_json: bool) -> None:
    from ganexplain.report.tables import layers_table

    _print(json.dumps(document, indent=2) if as_json else layers_table(document))


def _show_differences(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(document, indent=2))
    else:
        for name in document["inputs_changed"]:
            _print(f"{name}\tnot those of the run repeated")
        for name, told in document["files"].items():
            _print(f"{name}\t{told}")
    if not document["equal"]:
        raise typer.Exit(1)


# --- commands from configs ----------------------------------------------------------------


@contextmanager
def _one_line_errors(may_skip: bool = False) -> Iterator[None]:
    """Errors as one line and an exit status; `may_skip`: the command has `--skip-bad-files`."""
    with interrupts_raised() as came:
        try:
            yield
        except BaseException as error:
            if came or isinstance(error, KeyboardInterrupt):
                cause = came[0] if came else error
                came.clear()
                _print_line("interrupted; nothing unfinished stands under a final name")
                raise SystemExit(143 if isinstance(cause, Terminated) else 130) from None
            line = _line_of(error)
            if line is None:
                raise
            if may_skip and isinstance(error, BadFile) and error.one_of_many:
                line += " (--skip-bad-files leaves it out)"
            _print_line(f"error: {line}")
            raise SystemExit(getattr(error, "exit_status", 1)) from error


def _line_of(error: BaseException) -> str | None:
    """What is told of an error whose cause the user can mend; None of others."""
    # First: what could not be read for want of memory looks damaged.
    if isinstance(error, Exception) and no_memory(error):
        return "out of memory; what is done is kept. Free some, or lower --batch-size or --jobs"
    if isinstance(error, GanexplainError):
        return str(error)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many open files; raise the limit (ulimit -n), or lower --jobs"
    if isinstance(error, OSError) and error.filename is not None:  # of what the command names
        return f"{shown(str(error.filename))}: {error.strerror}"
    if isinstance(error, OSError) and error.errno in NO_SPACE:  # of a library's own cache
        return DISK_FULL
    return None


@contextmanager
def _one_of_several(given: dict[str, Any], under_torchrun: str) -> Iterator[bool]:
    """Join the processes that torchrun started; whether this is the first, which alone reports.

    A stage that goes `together` writes one run directory, so the others work in a folder that
    is gone afterwards; one that goes `apart` shares its work out by itself.
    """
    rank, world = place()
    if world > 1 and not under_torchrun:
        raise UsageError("torchrun divides trainings and explain; start this command by itself")
    if under_torchrun != "together":
        yield rank == 0
        return
    with process_group(), ExitStack() as kept:
        if rank:
            scratch = Path(kept.enter_context(TemporaryDirectory()))
            given |= {"out": scratch / "run", "overwrite": False, "resume": False}
        yield rank == 0


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a TOML file the command's defaults; flags still win."""
    if path is None:
        return None
    with _one_line_errors():
        values = read_toml("--config", path)
        flags = [max(p.opts, key=len).removeprefix("--") for p in context.command.params]
        names = dict(zip(flags, (p.name for p in context.command.params), strict=True))
        known = [flag for flag in names if flag not in ("config", "help")]
        for key in values:
            if key not in known:
                raise UsageError(
                    f"--config {path}: {key} is not a setting of this command"
                    f"{did_you_mean(key, known)}"
                )
        several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
        context.default_map = {
            names[key]: [value] if names[key] in several and not isinstance(value, list) else value
            for key, value in values.items()
        }
    return path


def _option(name: str, kind: Any, default: Any, info: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind, info],
    )


def _field_option(field: Field[Any], kind: Any) -> inspect.Parameter:
    meta, required = field.metadata, field.default is MISSING
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    if get_origin(kind) is tuple:
        kind = list[kind.__args__[0]]
    if meta["argument"]:
        return _option(field.name, kind, MISSING, typer.Argument(help=meta["help"]))
    flag = "--" + field.name.replace("_", "-")
    if default is True:
        flag += "/--no-" + flag.removeprefix("--")
    info = typer.Option(
        flag, help=meta["help"], min=meta["min"], max=meta["max"], show_default=not required
    )
    return _option(field.name, kind, default, info)


def _common_options(result: str) -> list[inspect.Parameter]:
    config_info = typer.Option(
        "--config", callback=_read_config, is_eager=True, help="TOML file of settings; flags win."
    )
    switches = [
        ("overwrite", ("--overwrite",), "Replace what an earlier run left in its place."),
        ("as_json", ("--json",), "Print the result as one JSON document."),
        ("quiet", ("--quiet", "-q"), "No progress and no notes."),
        ("dry_run", ("--dry-run", "-n"), "Print the settings in force, and stop."),
    ]
    options = [_option("config", Path | None, None, config_info)]
    if result == "writes":
        out_info = typer.Option("--out", help="Run directory to write.")
        options.insert(0, _option("out", Path, MISSING, out_info))
    left_out = {"writes": (), "prints a path": ("as_json",), "prints": ("overwrite",)}
    for name, flags, meaning in switches:
        if name not in left_out[result]:
            options.append(_option(name, bool, False, typer.Option(*flags, help=meaning)))
    return options


def _add_command(
    name: str,
    config_class: type,
    stage: str,
    show: Callable[[Any, bool], None],
    result: str = "writes",
    under_torchrun: str = "",
) -> None:
    """Add the command whose options are the fields of `config_class`, run by `module:function`.

    Its result is what it `writes` into a run directory, else what it `prints` or `prints a path`
    of. What can run `under_torchrun` can be resumed.
    """
    kinds = get_type_hints(config_class)
    settings = fields(config_class)

    def command(context: typer.Context, **given: Any) -> None:
        values = {f.name: given[f.name] for f in settings}
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        asked = {name for name in values if _was_set(context, name)}
        with _one_line_errors():
            chosen = config.with_preset(config_class, values, asked)
        if given["dry_run"]:
            with _one_line_errors():
                _print(config.toml_text(name, chosen).removesuffix("\n"))
            return
        keep_freed_memory()
        quiet_libraries()
        limit_threads()
        module, function = stage.split(":")
        skips = "skip_bad_files" in given
        with _one_line_errors(skips), _one_of_several(given, under_torchrun) as first:
            check_folder()
            settle_libraries()
            with progress_on_stderr(given["quiet"] or not first) as progress:
                run = getattr(import_module(f"ganexplain.stages.{module}"), function)
                extra = {name: given[name] for name in ("out", "resume") if name in given}
                overwrite = given.get("overwrite", False)
                found = run(chosen, progress=progress, overwrite=overwrite, **extra)
            if first:
                show(found, given.get("as_json", False))

    parameters = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(_field_option(f, kinds[f.name]) for f in settings),
        *_common_options(result),
    ]
    if under_torchrun:
        meaning = "Go on where an earlier run in --out stopped; start where there is none."
        parameters.append(_option("resume", bool, False, typer.Option("--resume", help=meaning)))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    without_docstrings = sys.flags.optimize > 1  # a dataclass then has its signature in the place
    command.__doc__ = None if without_docstrings else config_class.__doc__
    app.command(name)(command)


def _add_stage(name: str, show: Callable[[Any, bool], None], under_torchrun: str = "") -> None:
    """Add the command of a stage that writes a run directory."""
    config_class, stage = config.STAGES[name]
    _add_command(name, config_class, stage, show, under_torchrun=under_torchrun)


def _was_set(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _show_plain_path(path: Path, as_json: bool) -> None:
    _print(path)


_add_stage("train-classifier", _show_path, under_torchrun="together")
_add_stage("predict", _show_predictions)
_add_stage("train-gan", _show_path, under_torchrun="together")
_add_stage("counterfactual", _show_counterfactuals)
_add_command("layers", config.LayersConfig, "layers:layers", _show_layers, result="prints")
_add_stage("responses", _show_paths)
_add_stage("explain", _show_paths, under_torchrun="apart")
_add_stage("train-explainer", _show_explainer, under_torchrun="together")
_add_stage("select", _show_ranking)
_add_stage("attribute", _show_attributions)
_add_stage("report", _show_path)
_add_command("rerun", config.RerunConfig, "rerun:rerun", _show_differences)
_add_command(
    "label-stems",
    config.LabelStemsConfig,
    "label_stems:label_stems",
    _show_plain_path,
    result="prints a path",
)
