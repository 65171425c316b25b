"""What can be refused before torch is imported, which takes seconds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ganexplain.config import STAGES, RunConfig
from ganexplain.runs.distributed import rank_and_world_size
from ganexplain.runs.lock import check_new
from ganexplain.runs.steps import check_new_way


def refuse_early(
    command: str,
    config: Any,
    out: Path | None = None,
    resume: bool | None = None,
    overwrite: bool = False,
) -> None:
    """Raise the errors of a corpus that is not there, and of an `out` that is.

    `resume` is None for a command that cannot. Shares of a run have one `out`.
    """
    arguments = [each.name for each in fields(config) if each.metadata["argument"]]
    for path in config.corpus if "corpus" in arguments else ():
        if not Path(path).exists():
            from ganexplain.corpora.load import read_corpus

            read_corpus(Path(path))  # says what a corpus is
    shared = bool(getattr(config, "shard", "")) or rank_and_world_size()[1] > 1
    if out is None or shared or resume or overwrite:
        return
    if command in STAGES:
        check_new(out, command, resume is not None)
    elif command in ("run", "demo"):
        check_new_way(out, RunConfig.STAGES)
