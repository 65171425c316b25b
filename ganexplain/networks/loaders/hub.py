"""Networks on the Hugging Face hub, `hf://OWNER/NAME[@REVISION][/FILE]`, as files of its cache.

huggingface_hub fetches them, with its own settings (`HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_CACHE`,
`HF_HUB_OFFLINE`). A name becomes a path before a stage sees it, so that a run directory records
the file of one commit, and no file that is read later can cause a download.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from ganexplain.config.shared import HUB
from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.files.atomic import JsonObject
from ganexplain.files.checkpoints import FORMATS
from ganexplain.inputs.hugging_face import FILES
from ganexplain.networks.loaders.pretrained import CONFIG
from ganexplain.runs.progress import Progress

Config = TypeVar("Config")
NAME = re.compile(
    r"hf://(?P<repo>[^/@:]+/[^/@:]+)(?:@(?P<revision>[^/@:]+))?(?:/(?P<file>[^@:]+))?"
    r"(?P<rest>[@:].*)?"  # as in MODEL@INPUT.toml and CHECKPOINT:PLACE
)
# The kind of checkpoint that an option takes where FILE is left out; a folder if there is none.
KINDS = {
    "classifier": "classifier",
    "features_of": "classifier",
    "judge": "classifier",
    "encoder": "classifier",
    "network": "classifier",
    "gan": "gan",
    "start": "gan",
    "explainer": "explainer",
    "model": "",
    "weights": "",
}
FOLDERS = ("model", "network", "judge", "encoder")  # options that take a folder of transformers
WEIGHTS = ("*.safetensors*", "pytorch_model*.bin*")  # the second where a folder has not the first


def with_local_files(config: Config, progress: Progress) -> Config:
    """The config with each `hf://` name replaced by the path of its file or folder.

    Raises UsageError for a name that is none, or in an option that takes no network, and errors as
    `local_path`.
    """
    found: JsonObject = {}
    for each in fields(config):  # type: ignore[arg-type]
        value = getattr(config, each.name)
        if isinstance(value, str) and value.startswith(HUB):
            found[each.name] = local_path(each.name, value, progress)
        elif isinstance(value, tuple) and any(str(one).startswith(HUB) for one in value):
            found[each.name] = tuple(
                local_path(each.name, one, progress) if one.startswith(HUB) else one
                for one in value
            )
    return replace(config, **found) if found else config  # type: ignore[type-var]


def local_path(option: str, name: str, progress: Progress) -> str:
    """The path in the cache of what an option names on the hub, fetched if necessary.

    Raises UsageError for what is not there, GanexplainError where the hub cannot be reached.
    """
    flag = name if option == "network" else f"--{option.replace('_', '-')} {name}"
    parts = NAME.fullmatch(name)
    if option not in KINDS:
        raise UsageError(f"{flag}: only networks are fetched from the hub; name a local path")
    if not parts or ".." in Path(parts["file"] or "").parts:
        raise UsageError(
            f"{flag}: write hf://OWNER/NAME, hf://OWNER/NAME/FILE or hf://O/N@REV/FILE"
        )
    repo, revision, file, rest = parts.group("repo", "revision", "file", "rest")
    if file and file.endswith(".py"):
        raise UsageError(
            f"{flag}: code from the hub is not run; fetch it, read it, and name the local file"
        )
    progress.note(f"{flag}: looking on the Hugging Face hub")
    whole = not file and option in FOLDERS
    kind = KINDS[option]
    names = [file] if file else [f"{kind}.{ending}" for ending in reversed(FORMATS) if kind]
    patterns = [*names, *((CONFIG, *FILES, WEIGHTS[0]) if whole else ())]
    folder = _fetch(flag, repo, revision, patterns)
    if whole and (folder / CONFIG).is_file() and not list(folder.glob(WEIGHTS[0])):
        folder = _fetch(flag, repo, revision, [*patterns, WEIGHTS[1]])
    found = [folder / each for each in names if (folder / each).is_file()]
    if not found and whole and (folder / CONFIG).is_file():
        found = [folder]
    if not found:
        wanted = " or ".join([*names, *([CONFIG] if whole else [])]) or "file named; add /FILE"
        raise UsageError(f"{flag}: {repo} has no {wanted}")
    return str(found[0]) + (rest or "")


def _fetch(flag: str, repo: str, revision: str | None, patterns: list[str]) -> Path:
    """The folder of the cache with the files of a repository that match."""
    try:
        from huggingface_hub import errors, snapshot_download
        from huggingface_hub.utils import disable_progress_bars
    except ImportError as error:
        raise UsageError(
            f"{flag}: needs the package huggingface_hub (pip install 'ganexplain[hub]')"
        ) from error
    disable_progress_bars()
    try:
        return Path(
            snapshot_download(
                repo, revision=revision, allow_patterns=patterns,
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
        )  # fmt: skip
    except errors.GatedRepoError as error:
        raise UsageError(
            f"{flag}: its authors grant access on request; ask on its page, then set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"{flag}: there is no {repo} on the hub, or it is private and HF_TOKEN has no access"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"{flag}: {repo} has no revision {revision}") from error
    except errors.HFValidationError as error:
        raise UsageError(f"{flag}: not a name of the hub ({reason_of(error)})") from error
    except errors.LocalEntryNotFoundError as error:
        raise GanexplainError(
            f"{flag}: not in the cache, and the hub cannot be reached "
            f"({reason_of(error.__cause__ or error)}); fetch it where there is a network"
        ) from error
    except Exception as error:  # HTTP, a connection that breaks, the disk: each raises its own
        raise GanexplainError(f"{flag}: cannot be fetched ({reason_of(error)})") from error
