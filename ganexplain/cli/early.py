"""What can be refused before torch is imported, which takes seconds."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from ganexplain.config import STAGES, RunConfig, options_named
from ganexplain.config.shared import HUB
from ganexplain.pipeline.steps import check_new_way
from ganexplain.runs.distributed import rank_and_world_size
from ganexplain.runs.lock import check_new


def refuse_early(
    command: str,
    config: Any,
    out: Path | None = None,
    resume: bool | None = None,
    overwrite: bool = False,
) -> None:
    """Raise the errors of a corpus and networks that are not there, and of an `out` that is.

    So those of files that are clearly no network of their option.

    `resume` is None for a command that cannot. Shares of a run have one `out`.
    """
    arguments = [each.name for each in fields(config) if each.metadata["argument"]]
    for path in config.corpus if "corpus" in arguments else ():
        if not Path(path).exists():
            from ganexplain.corpora.load import read_corpus

            read_corpus(Path(path))  # says what a corpus is
    with options_named(config):
        _check_networks(config)
    shared = bool(getattr(config, "shard", "")) or rank_and_world_size()[1] > 1
    if out is None or shared or resume or overwrite:
        return
    if command in STAGES:
        check_new(out, command, resume is not None)
    elif command in ("run", "demo"):
        check_new_way(out, RunConfig.STAGES)


def _check_networks(config: Any) -> None:
    """Raise UsageError for a file that is no network of ours, or of no kind that is loaded.

    Without --model, --classifier may name any network that a run has explained.
    """
    kinds = ("classifier", "gan") if hasattr(config, "model") else ("gan",)
    for kind in kinds:
        named = getattr(config, kind, ())
        for path in (named,) if isinstance(named, str) else named:
            if path and not path.startswith(HUB):
                from ganexplain.files.checkpoint_kind import check_checkpoint

                check_checkpoint(Path(path), kind)
    model = getattr(config, "model", "")
    if kinds[0] == "classifier" and model and config.classifier:
        return  # the stage tells that one is to be named
    if model and not model.startswith(HUB):
        from ganexplain.networks.loaders.names import check_network_file

        check_network_file(model)
