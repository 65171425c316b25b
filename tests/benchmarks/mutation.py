"""How many small faults in the code the tests notice: a bounded mutation run.

OMP_NUM_THREADS=1 python tests/benchmarks/mutation.py [--mutants 60] [--seed 0] [--seconds 300]

Each mutant changes one operator, number, sign or call in one of the modules of `TESTS`, and the
tests named there run on it in a fork of this process, where nothing of ganexplain is imported
yet. First they run on the module as it is, where they have to pass. Mutants are drawn without
replacement from all that there are. A run longer than --seconds counts as noticed. Survivors are
printed to be looked at: some change nothing that can be seen.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLOSED_FORMS = "hand|small|curves|order|agree|correlation|unit|callable|passes"
# Modules (below ganexplain/) and the tests that are about them, without those of many seconds.
TESTS = {
    "ascent/engine.py":
        "tests/ascent/test_engine.py tests/ascent/test_priors.py -k not(explain_writes)",
    "ascent/priors.py": "tests/ascent/test_priors.py -k not(explain_writes)",
    "ascent/langevin.py": "tests/ascent/test_priors.py -k langevin|chain|finite|temperature",
    "counterfactuals/crossing.py":
        "tests/stages/test_counterfactual.py -k way|across|reach|sphere|weighs",
    "counterfactuals/edit.py": "tests/counterfactuals/test_edit.py",
    "metrics/distances.py": "tests/metrics/test_frechet.py tests/metrics/test_scores.py",
    "metrics/scores.py": "tests/metrics/test_scores.py",
    "metrics/bootstrap.py":
        "tests/metrics/test_scores.py tests/metrics/test_selection_statistics.py "
        "tests/metrics/test_ranking.py",
    "ascent/responses.py": "tests/networks/test_neurons_and_responses.py",
    "attribution/measures.py": f"tests/attribution/test_measures.py -k {CLOSED_FORMS}",
    "attribution/segments.py": "tests/attribution/test_segments.py",
    "attribution/fills.py": "tests/attribution/test_segments.py",
    "attribution/methods/lime.py": "tests/attribution/test_lime.py",
    "attribution/methods/elime.py": "tests/attribution/test_elime.py",
    "attribution/methods/occlusion.py": "tests/attribution/test_lime.py",
    "metrics/detection.py": "tests/metrics/test_detection.py",
}  # fmt: skip
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.Mod: ast.FloorDiv, ast.FloorDiv: ast.Mod,
}  # fmt: skip
CALLS = {
    "argmax": "argmin", "argmin": "argmax", "max": "min", "min": "max", "any": "all", "all": "any",
    "amax": "amin", "maximum": "minimum", "minimum": "maximum", "mean": "sum", "sum": "mean",
}  # fmt: skip


class Mutants(ast.NodeTransformer):
    """Counts the places where a module can be changed, or changes the `wanted`-th of them."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted, self.count, self.line = wanted, 0, 0

    def _now(self, node: ast.AST) -> bool:
        found = self.count == self.wanted
        self.count += 1
        if found:
            self.line = node.lineno  # type: ignore[attr-defined]
        return found

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for k, operator in enumerate(node.ops):
            if type(operator) in SWAPS and self._now(node):
                node.ops[k] = SWAPS[type(operator)]()  # type: ignore[call-overload]
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) in SWAPS and self._now(node):
            node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._now(node):
            node.op = SWAPS[type(node.op)]()  # type: ignore[assignment]
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.USub | ast.Not) and self._now(node):
            return self.generic_visit(node.operand)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if self._now(node):
            node.body, node.orelse = node.orelse, node.body
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._now(node):
            return node
        return ast.copy_location(ast.Constant(value + 1), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func
        if isinstance(name, ast.Attribute) and name.attr in CALLS and self._now(node):
            name.attr = CALLS[name.attr]
        elif isinstance(name, ast.Name) and name.id == "abs" and self._now(node):
            return self.generic_visit(node.args[0])
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node  # annotations change nothing


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed tree."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = name, tree

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.name else None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.tree, self.name, "exec"), vars(module))


def places() -> Iterator[tuple[str, int]]:
    """Every module and number of a change in it."""
    for module in TESTS:
        counter = Mutants()
        counter.visit(ast.parse((ROOT / "ganexplain" / module).read_text()))
        yield from ((module, k) for k in range(counter.count))


def survives(module: str, number: int, seconds: float) -> tuple[bool, str]:
    """Whether the tests of a module pass with a change; the line before and after."""
    before = ast.parse((ROOT / "ganexplain" / module).read_text())
    mutants = Mutants(number)
    tree = ast.fix_missing_locations(mutants.visit(copy.deepcopy(before)))
    old, new = (ast.unparse(t).splitlines() for t in (before, tree))
    changes = ((a, b) for a, b in zip(old, new, strict=False) if a != b)
    changed = next((f"{a.strip()}  ->  {b.strip()}" for a, b in changes), "nothing")
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        name = "ganexplain." + module.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, Mutated(name, tree))
        import pytest

        files, _, chosen = TESTS[module].partition(" -k ")
        words = chosen.replace("|", " or ").replace("not(", "not (")
        options = ["-x", "-q", "-p", "no:cacheprovider", *(["-k", words] if words else [])]
        os._exit(int(pytest.main([*files.split(), *options])))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0, f"{module}:{mutants.line}: {changed}"
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, f"{module}:{mutants.line}: {changed}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--skip", type=int, default=0, help="mutants of the draw left out")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    for heavy in ("torch", "scipy.stats", "scipy.ndimage", "scipy.spatial", "hypothesis", "pytest",
                  "soundfile", "PIL.Image"):  # fmt: skip
        importlib.import_module(heavy)
    every = list(places())
    drawn = random.Random(arguments.seed).sample(every, arguments.mutants)[arguments.skip :]
    for module in sorted({module for module, _ in drawn}):
        if not survives(module, -1, arguments.seconds)[0]:
            sys.exit(f"{TESTS[module]}: fails, or takes too long, without any change")
    noticed = 0
    for count, (module, number) in enumerate(drawn, 1):
        alive, text = survives(module, number, arguments.seconds)
        noticed += not alive
        print(f"{'SURVIVED' if alive else 'noticed '} {text}", flush=True)
        print(f"{noticed} of {count} noticed, of {len(every):,} possible", file=sys.stderr)
    print(f"{noticed} of {len(drawn)} noticed ({100 * noticed / len(drawn):.0f} %)")
