"""Settings of `rerun`, which repeats a run of any stage."""

from __future__ import annotations

from dataclasses import dataclass

from ganexplain.config.setting import setting


@dataclass(frozen=True, kw_only=True)
class RerunConfig:
    """Repeat a run from what its directory tells, and say whether it gives the same.

    `ganexplain rerun runs/explain --out runs/explain-again`

    Its inputs must be what they were. Exit status 1 where a file differs; each is named with the
    key that does, and by how much.
    """

    run: str = setting("Run directory of any stage.", argument=True, reads=True)
