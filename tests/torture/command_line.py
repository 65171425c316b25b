"""`python -m tests.torture.command_line FOLDER COUNT SEED SECONDS`: command lines by hypothesis.

Every command with options of its own, plausible or not, and settings files, through the entry
point in this process. All is real up to where a run directory is opened: by then a stage has read
what it is given and said what is wrong with it; what it would compute is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .fuzzing import limit_memory, outcome_of
from .readers import PRETRAINED, _small_artifacts
from .spoiling import toml_text

ODD = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), max_size=30)
LONG = ("x" * 5000, "-", "--", "\x1b[2J", "ü 歌", "", "0" * 400, "1e400", "nan", "inf", "-0")
WORDS = (
    "max", "min", "both", "fc9", "fc9:0", "fc8:0-3", "conv1:3@max", "output", "all", "0,3,8-11",
    "sing", "sing-nosing", "auto", "cpu", "cuda:7", "mps", "best", "paper", "quick", "small",
    "grid", "adaptive", "0/2", "3/2", "1/0", "lime", "occlusion", "captum:Nope", "6x4",
    "temporal:10", "slic:5", "file:direction.npy", "sources:corpus", "sgd", "wgan-gp", "svdnet",
    "float32", "bfloat16", "fid-response", "predicted", "l2", "sphere", "langevin", "mean",
)  # fmt: skip
FILES = (
    "classifier.pt", "gan.pt", "corpus", "manifest.csv", "song.wav", "song.wav@0.5", "song.wav@9e9",
    "explanations.npz", "selection.json", "responses.npz", "input.toml", "direction.npy",
    "attributions.json", "empty", "garbage.pt", "garbage.npz", "run", "absent", "os:getcwd",
    "torch.nn:ReLU", "nowhere:factory", ".", "truth.lab", "pictures",
)  # fmt: skip
OUTS = ("out", "out", "out", "song.wav", "run", "empty/below", "ü", "a\nb", "corpus", "x" * 300)


GOOD = {
    "corpus": "corpus", "classifier": "classifier.pt", "gan": "gan.pt", "files": "song.wav",
    "inputs": "song.wav@0.5", "start_from": "song.wav@0.5", "network": "classifier.pt",
    "explanations": "explanations.npz", "selection": "selection.json", "run": "run",
    "responses": "responses.npz", "stems": "corpus", "judge": "classifier.pt", "cache": "cache",
    "truth": "truth.lab", "example": "song.wav", "features_of": "classifier.pt",
}  # fmt: skip


class Over(BaseException):
    """The time is up."""


class Reached(Exception):
    """A run directory would have been opened."""


def world(folder: Path) -> None:
    """Files that fit together, and some that do not."""
    import soundfile as sf
    from PIL import Image

    made = _small_artifacts(folder)
    shutil.copy(PRETRAINED / "referee.pt", folder / "classifier.pt")
    shutil.copy(PRETRAINED / "gan.pt", folder / "gan.pt")
    noise = 0.1 * np.random.default_rng(0).standard_normal(22050)
    for place in ("audio", "labels", "filelists"):
        (folder / "corpus" / place).mkdir(parents=True)
    for split, name in (("train", "one"), ("valid", "two"), ("test", "three")):
        sf.write(str(folder / "corpus" / "audio" / f"{name}.wav"), noise, 22050)
        (folder / "corpus" / "labels" / f"{name}.lab").write_text("0 0.5 sing\n0.5 1 nosing\n")
        (folder / "corpus" / "filelists" / split).write_text(f"{name}.wav\n")
    for label in "ab":
        (folder / "pictures" / label).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "pictures" / label / "one.png")
    sf.write(str(folder / "song.wav"), noise, 22050)
    rows = "song.wav,0,0.5,a,train\ncorpus/audio/one.wav,,,b,valid\n"
    (folder / "manifest.csv").write_text("path,start,end,label,split\n" + rows)
    (folder / "input.toml").write_text('kind = "log-mel"\nconvention = "librosa"\n')
    (folder / "truth.lab").write_text("0 0.5 sing\n")
    (folder / "empty").write_bytes(b"")
    (folder / "garbage.pt").write_bytes(bytes(range(256)) * 8)
    (folder / "garbage.npz").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    np.save(folder / "direction.npy", np.ones(64))
    (folder / "attributions.json").write_text('{"inputs": [], "configurations": []}')
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_text(json.dumps({"stage": "explain", "state": "done"}))
    (folder / "run" / "config.toml").write_text('gan = "gan.pt"\n')
    assert made.folder == folder


def plausible(field: Field[Any], kind: Any) -> st.SearchStrategy[Any]:
    """Values of an option's own kind, mostly within its range."""
    low, high = field.metadata["min"], field.metadata["max"]
    if kind is int:
        low = 0 if low is None else int(low)
        return st.one_of(st.integers(low, low + 5), st.integers(), st.just(2**63))
    if kind is float:
        inside = st.floats(0.0 if low is None else low, 1.0 if high is None else high)
        return st.one_of(inside, st.floats())
    if kind is bool:
        return st.booleans()
    files, words = st.sampled_from(FILES), st.sampled_from(WORDS)
    default = field.default[0] if isinstance(field.default, tuple) and field.default else ""
    usual = field.default if isinstance(field.default, str) else default
    good = st.just(GOOD.get(field.name, usual))
    likely = files if field.metadata["reads"] or field.metadata["argument"] else words
    return st.one_of(good, good, good, good, good, good, likely, likely, files, words)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options."""
    from ganexplain import config
    from ganexplain.cli.app import app

    names = {command.name: command for command in app.registered_commands}
    chosen = draw(st.sampled_from(sorted(filter(None, names))))
    kind = KINDS.get(chosen) or config.STAGES[chosen][0]
    hints = get_type_hints(kind)
    line, table = [chosen], {}
    for field in fields(kind):
        hint = hints[field.name]
        several = get_origin(hint) is tuple
        value = plausible(field, get_args(hint)[0] if several else hint)
        odd = st.one_of(*[value] * 12, ODD, st.sampled_from(LONG))
        needed = field.metadata["argument"] or not isinstance(field.default, int | float | str)
        if draw(st.integers(0, 9)) >= (9 if needed else 1):
            continue
        drawn = [draw(odd) for _ in range(draw(st.integers(1, 3 if several else 1)))]
        flag = "--" + field.name.replace("_", "-")
        if field.metadata["argument"]:
            line += map(str, drawn)
        elif draw(st.integers(0, 4)) == 0:
            table[flag[2:]] = drawn if several else drawn[0]
        elif hint is bool:
            line.append(flag if drawn[0] else f"--no-{flag[2:]}")
        else:
            line += [word for one in drawn for word in (flag, str(one))]
    if chosen in config.STAGES or chosen in ("rerun", "run", "demo"):
        line += ["--out", draw(st.sampled_from(OUTS))]
    line += draw(
        st.lists(st.sampled_from(["--overwrite", "--json", "-q", "--dry-run"]), max_size=2)
    )
    if table:
        odd_key = draw(st.integers(0, 9)) == 0
        text = toml_text(table | ({draw(ODD): 1} if odd_key else {}))
        Path("settings.toml").write_bytes(text)
        line += ["--config", "settings.toml"]
    return (
        line + draw(st.lists(ODD, max_size=1))[: draw(st.integers(0, 1)) * draw(st.integers(0, 1))]
    )


KINDS: dict[str, Any] = {}


def try_all(count: int, number: int, until: float) -> dict[str, Any]:
    """Outcomes and findings of so many command lines, by command."""
    from ganexplain import config
    from ganexplain.runs.directory import RunDirectory

    KINDS.update({
        "layers": config.LayersConfig,
        "label-stems": config.LabelStemsConfig,
        "input": config.InputConfig,
        "rerun": config.RerunConfig,
        "run": config.RunConfig,
        "demo": config.DemoConfig,
    })  # fmt: skip

    def reached(self: object) -> None:
        raise Reached

    RunDirectory.__enter__ = reached  # type: ignore[assignment, method-assign]
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    findings: dict[str, dict[str, str]] = defaultdict(dict)

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(command_lines())
    def once(line: list[str]) -> None:
        if time.time() > until:
            raise Over
        ended, found = ended_with(line)
        outcomes[line[0]][ended] += 1
        key = re.sub(r"\d+", "9", found)[:120]
        if found and key not in findings[line[0]]:
            findings[line[0]][key] = f"{found} of {line!r}"[:1200]
            kept = Path(f"finding-{sum(map(len, findings.values()))}.toml")
            if "settings.toml" in line:
                shutil.copy("settings.toml", kept)
        shutil.rmtree("out", ignore_errors=True)

    with suppress(Over):
        once()
    return {
        name: {"outcomes": outcomes[name], "findings": list(findings[name].values())}
        for name in outcomes
    }


def ended_with(line: list[str]) -> tuple[str, str]:
    """How a command line ends, and what is wrong with that, or an empty string."""
    from typer.testing import CliRunner

    from ganexplain.cli.app import app

    def call() -> None:
        done = CliRunner().invoke(app, line)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code in (0, 1, 2), done.exit_code
        raise SystemExit(done.exit_code)

    ended, found = outcome_of(call)
    if "Reached" in found:
        return "ran", ""
    if found.startswith("SystemExit"):
        code = re.findall(r"'(\d)'", found)[-1]
        return f"exit status {code}", ""
    return ended, found


def main() -> None:
    """Entry point of the child."""
    folder, count, number, seconds = sys.argv[1:]
    until = time.time() + float(seconds)
    os.environ |= {"XDG_CACHE_HOME": str(Path(folder) / "cache"), "NO_COLOR": "1"}
    world(Path(folder) / "world")
    os.chdir(Path(folder) / "world")
    import ganexplain.stages.attribute
    import ganexplain.stages.explain
    import ganexplain.stages.select  # noqa: F401

    limit_memory()
    for name, told in try_all(int(count), int(number), until).items():
        print(json.dumps({"name": f"command {name}", **told}), flush=True)


if __name__ == "__main__":
    main()
