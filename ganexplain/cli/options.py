"""Options of a command, made from the fields of its config and from a file of settings."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import MISSING, Field, fields
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.models import ArgumentInfo

from ganexplain.cli.errors import one_line_errors
from ganexplain.errors import UsageError, did_you_mean
from ganexplain.files.bounded import read_toml

# What `--out` is, by what a command does.
WRITTEN = {"writes": "Run directory to write.", "writes a file": "TOML file to write."}

LEAST_OF_TABLE = 100  # columns of a terminal below which a table would cut the names of options
NETWORKS = ("classifier", "model", "gan")  # the settings that most calls name
UNIT_OPTIONS = ("--class", "--neuron", "--target", "--unit", "--layer")  # of which one is there
SEVERAL = re.compile(r"(\S+) for several\b")  # in the help of an option: a value that names several


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a TOML file the defaults of the command; options take precedence."""
    if path is None:
        return None
    with one_line_errors():
        values = read_toml("--config", path)
        names = {
            flag.removeprefix("--"): p.name
            for p in context.command.params
            for flag in p.opts
            if flag.startswith("--") or not flag.startswith("-")
        }
        known = [flag for flag in names if flag not in ("config", "help")]
        for key in values:
            if key not in known:
                raise UsageError(
                    f"--config {path}: {key} is not a setting of this command"
                    f"{did_you_mean(key, known)}"
                )
        for key, other in combinations(values, 2):
            if names[key] == names[other]:
                raise UsageError(f"--config {path}: {key} and {other} are one setting; leave one")
        several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
        context.default_map = {
            names[key]: [value] if names[key] in several and not isinstance(value, list) else value
            for key, value in values.items()
        }
    return path


def option(name: str, kind: Any, default: Any, info: Any) -> inspect.Parameter:
    """An option as a parameter of a command."""
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[kind, info],
    )


def field_option(field: Field[Any], kind: Any) -> inspect.Parameter:
    """The option, or argument, that sets a field of a config."""
    meta, required = field.metadata, field.default is MISSING
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    if get_origin(kind) is tuple:
        kind = list[kind.__args__[0]]
    if meta["argument"]:
        return option(field.name, kind, MISSING, typer.Argument(help=meta["help"]))
    flag = "--" + field.name.replace("_", "-")
    if default is True:
        flag += "/--no-" + flag.removeprefix("--")
    former = [f"--{meta['former']}"] if "former" in meta else []
    info = typer.Option(
        flag,
        *former,
        help=meta["help"],
        min=meta["min"],
        max=meta["max"],
        show_default=not required,
    )
    return option(field.name, kind, default, info)


def _takes_one_value(parameter: Any) -> bool:
    """Whether a parameter of a command is an option with one value; flags have none."""
    return isinstance(parameter, TyperOption) and not parameter.multiple and not parameter.is_flag


def _refuse_other_words(command: str, given: Sequence[str], names: Collection[str]) -> None:
    """Tell the option that names the unit, where one is given that does so elsewhere."""
    own = next((name for name in ("neuron", "target") if name in names), None)
    for flag in (one.split("=")[0] for one in given):
        if flag not in UNIT_OPTIONS or flag.removeprefix("--") in names:
            continue
        if not own:
            raise UsageError(f"{flag}: {command} has no such option; `ganexplain {command} --help`")
        example = "" if flag == "--layer" else f", as --{own} sing"  # which is no layer
        raise UsageError(f"{flag}: here --{own} names the unit or class{example}")


def command_class(config_class: type[Any]) -> type[TyperCommand]:
    """A command that refuses repeated options, and lists the choices of other packages in its help.

    Of an option that takes one value and is repeated, the parser would keep the last value.
    """
    groups = {f.name: f.metadata["packages"] for f in fields(config_class)}
    names = set(groups)

    class Command(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            given = list(args)  # the parser empties `args`
            _refuse_other_words(ctx.info_name, given, names)
            _, words, order = self.make_parser(ctx).parse_args(args=list(given))
            missing = [p for p in self.params if p.required and p not in order]
            takes_words = any(isinstance(each, TyperArgument) for each in self.params)
            if words and missing and not takes_words and "--help" not in given:
                flag = max(missing[0].opts, key=len)
                word = shlex.quote(words[0])
                raise UsageError(f"{words[0]}: is no option; did you mean {flag} {word}?")
            rest = super().parse_args(ctx, args)
            for parameter, times in Counter(order).items():
                if times > 1 and _takes_one_value(parameter):
                    flag = max(parameter.opts, key=len)
                    example = SEVERAL.search(getattr(parameter, "help", None) or "")
                    remedy = f"name several as {flag} {example[1]}" if example else "give it once"
                    raise UsageError(f"{flag} takes one value and is given {times} times; {remedy}")
            return rest

        def format_help(self, ctx: Any, formatter: Any) -> None:
            from ganexplain.registry import installed  # slow to import: not for other commands

            for parameter in self.params:
                group = groups.get(parameter.name or "")
                names = ", ".join(installed(group)) if group else ""
                if names and isinstance(parameter, TyperOption):
                    parameter.help = f"{parameter.help} From other packages: {names}."
            if shutil.get_terminal_size().columns < LEAST_OF_TABLE:
                self.rich_markup_mode = None
            super().format_help(ctx, formatter)

    return Command


def common_options(result: str, out: Any = MISSING, plans: bool = False) -> list[inspect.Parameter]:
    """The options that every command of a kind has; `out` is the default of --out, if any.

    `plans`: --dry-run also prints a plan.
    """
    shown = "the settings in effect"
    if plans:
        shown += " and, as comments, each stage with its time and command"
    config_info = typer.Option(
        "--config",
        callback=read_config,
        is_eager=True,
        help="TOML file of settings; options on the command line take precedence.",
    )
    switches = [
        ("overwrite", ("--overwrite",), "Replace the output of an earlier run."),
        ("as_json", ("--json",), "Print the result as one JSON document."),
        ("quiet", ("--quiet", "-q"), "Show no progress and no notes."),
        ("dry_run", ("--dry-run", "-n"), f"Print {shown}, and exit."),
    ]
    options = [option("config", Path | None, None, config_info)]
    if result in WRITTEN:
        out_info = typer.Option("--out", help=WRITTEN[result])
        options.insert(0, option("out", Path, out, out_info))
    left_out = {"prints a path": ("as_json",), "prints": ("overwrite",)}
    for name, flags, meaning in switches:
        if name not in left_out.get(result, ()):
            options.append(option(name, bool, False, typer.Option(*flags, help=meaning)))
    return options


def in_order(parameters: Sequence[inspect.Parameter], config_class: type[Any]) -> list[Any]:
    """The parameters of a command as its help lists them: what is required and the networks first.

    Settings of the command itself come before those that it shares with others.
    """
    own = vars(config_class).get("__annotations__", {})

    def place(parameter: inspect.Parameter) -> tuple[int, ...]:
        name, (_, info) = parameter.name, get_args(parameter.annotation)
        return (
            not isinstance(info, ArgumentInfo),
            parameter.default is not inspect.Parameter.empty,
            NETWORKS.index(name) if name in NETWORKS else len(NETWORKS),
            name not in own,
        )

    return sorted(parameters, key=place)


def was_set(context: typer.Context, name: str) -> bool:
    """Whether an option was given, by a flag or a file of settings."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
