"""Makes networks with the user's own code: `module:factory` or `file.py:factory`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from ganexplain.errors import UsageError, did_you_mean, reason_of
from ganexplain.networks.black_box import BlackBox
from ganexplain.networks.copies import unwrap


def code_of(model: str) -> str:
    """The file with the code of a factory; empty if its module is not imported or has none."""
    code = model.rpartition(":")[0]
    if code.endswith(".py"):
        return code
    return getattr(sys.modules.get(code), "__file__", None) or ""


def call_factory(model: str) -> nn.Module:
    """The network that a factory returns; a network or a class with that name is accepted, too.

    A function with one argument, or one that a factory returns, is a black box from arrays to
    arrays. Raises UsageError if the code cannot be imported, has nothing of that name, or makes
    neither a torch module nor a function without arguments.
    """
    found = import_object("--model", model)
    if _takes_arrays(found):
        return BlackBox(model, found)
    if not isinstance(found, nn.Module):
        _check_arguments(model, found)
        try:
            found = found()
        except (Exception, SystemExit) as error:  # its code may raise anything
            raise UsageError(f"--model {model}: the factory failed ({reason_of(error)})") from error
    if isinstance(found, nn.Module):
        return unwrap(found)
    if not callable(found):
        raise UsageError(
            f"--model {model}: returned {type(found).__name__}, not a torch module or a function "
            "from arrays to arrays"
        )
    return BlackBox(model, found)


def import_object(option: str, named: str) -> Any:
    """What `module:name` or `file.py:name` names; UsageError, which begins with the option."""
    code, _, name = named.rpartition(":")
    found: Any = _import(f"{option} {named}", code)
    for attribute in name.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            hint = did_you_mean(attribute, dir(found))
            raise UsageError(f"{option} {named}: {code} has no {attribute!r}{hint}") from error
        except (Exception, SystemExit) as error:  # its code may raise anything
            raise UsageError(
                f"{option} {named}: {code} fails when asked for {attribute!r} ({reason_of(error)})"
            ) from error
    return found


def _import(place: str, code: str) -> ModuleType:
    is_file = code.endswith(".py")
    if is_file and not Path(code).is_file():
        raise UsageError(f"{place}: no such file as {code}")
    try:
        return _import_file(Path(code).resolve()) if is_file else _import_module(code)
    except (Exception, SystemExit) as error:  # its code may raise anything
        raise UsageError(f"{place}: {code} cannot be imported ({reason_of(error)})") from error


def _import_module(name: str) -> ModuleType:
    with _search_folder(Path.cwd()):  # as `python -m` does
        return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """The module in a file: of a package under its full name, else under that of the file."""
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    with _search_folder(folder):
        if len(names) > 1:
            return importlib.import_module(".".join(names))
        # Its stem may be the name of an installed package.
        found = importlib.util.spec_from_file_location(str(path), path)
        assert found is not None and found.loader is not None  # it ends in .py
        module = importlib.util.module_from_spec(found)
        sys.modules[str(path)] = module  # dataclasses look their module up
        found.loader.exec_module(module)
        return module


@contextmanager
def _search_folder(folder: Path) -> Iterator[None]:
    """While open, imports find modules in a folder first."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _takes_arrays(found: object) -> bool:
    """Whether it is a function with one argument that must be given: it gets the inputs."""
    if isinstance(found, type | nn.Module) or not callable(found):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # written in C
        return False
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind not in variable]
    return len(needed) == 1 and needed[0].kind is not inspect.Parameter.KEYWORD_ONLY


def _check_arguments(model: str, found: Callable[..., object]) -> None:
    """UsageError with a function to write, if a class or function needs arguments."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # not callable, or written in C
        return
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [
        each.name for each in parameters if each.default is each.empty and each.kind not in variable
    ]
    if needed:
        code, _, name = model.rpartition(":")
        given = ", ".join(f"{argument}=..." for argument in needed)
        raise UsageError(
            f"--model {model}: needs arguments ({', '.join(needed)}); write one that needs no "
            f"arguments, def network(): return {name}({given}), and name it as {code}:network"
        )
