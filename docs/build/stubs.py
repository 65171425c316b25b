"""Writes `ganexplain/api/stages.pyi`, by which editors and type checkers know the functions.

python docs/build/stubs.py
"""

from __future__ import annotations

import inspect
from pathlib import Path
from textwrap import indent

from ganexplain.api import stages

STUB = Path(stages.__file__).with_suffix(".pyi")
HEAD = '''"""Every command as a function: settings in, the record of its run out.

Made from the settings by `python docs/build/stubs.py`.
"""

from collections.abc import Sequence
from concurrent.futures import Executor

from ganexplain.api.arguments import Given, Network, PathName
from ganexplain.api.records import (
{records}
)
from ganexplain.api.runs import ProgressCallback, Run
from ganexplain.api.units import Explanation, Responses, Selection
from ganexplain.api.whole import WholeRun
'''


def stub_text() -> str:
    """The content of the file."""
    functions = [each for each in vars(stages).values() if hasattr(each, "__signature__")]
    kinds = {kind.__name__: kind.__module__ for kind in vars(stages)["RECORDS"].values()}
    own = sorted(name for name, module in kinds.items() if module.endswith(".records"))
    head = HEAD.format(records="\n".join(f"    {name}," for name in own))
    head = head.replace("ProgressCallback, Run", "ProgressCallback")
    return head + "".join(map(function_text, functions))


def function_text(function: object) -> str:
    """The function with its docstring and without a body."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    lines, keywords = [], False
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not keywords:
            keywords = True
            lines.append("*,")
        default = "" if each.default is each.empty else f" = {each.default!r}".replace("'", '"')
        lines.append(f"{each.name}: {each.annotation}{default},")
    name, returned = getattr(function, "__name__", ""), signature.return_annotation
    text = "\n\n".join(['"""' + (function.__doc__ or "").strip(), ""]).rstrip() + '\n"""'
    return f"\ndef {name}(\n{indent(chr(10).join(lines), '    ')}\n) -> {returned}:\n" + (
        indent(text, "    ", lambda line: bool(line.strip())) + "\n"
    )


if __name__ == "__main__":
    STUB.write_text(stub_text())
