"""Tables of all commands and their options, made from the command line itself."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from ganexplain.cli.app import app


def command_tables() -> str:
    """Markdown: a section for each command, with its help and a table of its options."""
    group: Any = typer.main.get_group(app)
    return "\n\n".join(section(name, command) for name, command in sorted(group.commands.items()))


def section(name: str, command: Any) -> str:
    """Markdown of one command."""
    rows = [row(parameter) for parameter in command.params if parameter.name != "help"]
    table = "\n".join(["| option | default | |", "|---|---|---|", *rows])
    return f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n\n{table}"


def row(parameter: Any) -> str:
    """A line of the table: names, default and meaning of an option or argument."""
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    cells = [names, default_of(parameter), parameter.help or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default_of(parameter: Any) -> str:
    """The default of an option, in words where it has none."""
    if parameter.required:
        return "required"
    default = parameter.default
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, list | tuple):
        return ", ".join(f"`{value}`" for value in default)
    return f"`{default}`" if default not in (None, "") else ""
