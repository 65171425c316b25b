"""Networks on a hub, which is a server of this process: fetched once, kept, and named in errors."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from support.commands import Run
from support.paths import PRETRAINED

from ganexplain.config import ExplainConfig, SelectConfig
from ganexplain.errors import GanexplainError, UsageError
from ganexplain.networks.loaders.hub import local_path, with_local_files
from ganexplain.runs.progress import NullProgress

pytest.importorskip("huggingface_hub")
from huggingface_hub import close_session, constants

COMMITS = {"main": "a" * 40, "v1": "b" * 40}
REPOSITORIES = {
    "me/gan": {"gan.pt": b"old gan", "README.md": b"# card"},
    "me/both": {"gan.pt": b"torch", "gan.safetensors": b"safe", "classifier.pt": b"it"},
    "me/ast": {"config.json": b"{}", "model.safetensors": b"w", "pytorch_model.bin": b"p",
               "modeling.py": b"print()"},
    "me/old": {"config.json": b"{}", "pytorch_model.bin": b"p"},
    "me/code": {"net.py": b"print()", "net.onnx": b"onnx"},
}  # fmt: skip


@dataclass
class Hub:
    """A server with the answers of the hub, and what it was asked for."""

    address: str = ""
    asked: list[str] = field(default_factory=list)


class Answer(BaseHTTPRequestHandler):
    """Answers like the hub, and tells `known` what was asked for."""

    known: Hub

    def log_message(self, *_: object) -> None:
        pass

    def send(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.known.asked.append(f"{self.command} {self.path}")
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        start = 2 if parts[:2] == ["api", "models"] else 0
        repo, what = "/".join(parts[start : start + 2]), parts[start + 2 :]
        if repo == "me/gated":
            return self.send(401, b"{}", x_error_code="GatedRepo")
        if repo not in REPOSITORIES:
            return self.send(401, b"{}", x_error_code="RepoNotFound")
        commit = COMMITS.get(what[1] if len(what) > 1 else "main", what[1])
        if commit not in COMMITS.values():
            return self.send(404, b"{}", x_error_code="RevisionNotFound")
        self.answer(repo, commit, what[0], "/".join(what[2:]))

    def answer(self, repo: str, commit: str, what: str, name: str) -> None:
        """Send what there is to know of a revision, its tree, or one of its files."""
        files = REPOSITORIES[repo]
        if what == "revision":
            return self.send(200, json.dumps({"id": repo, "sha": commit}).encode())
        if what == "tree":
            listed = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in files.items()
            ]
            return self.send(200, json.dumps(listed).encode())
        content = files[name] + (b" of v1" if commit == COMMITS["v1"] else b"")
        etag = hashlib.sha256(content).hexdigest()
        return self.send(200, content, etag=f'"{etag}"', x_repo_commit=commit)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    known = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Known", (Answer,), {"known": known}))
    known.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", known.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    close_session()  # one of an earlier test has the proxy of the machine
    yield known
    close_session()
    server.shutdown()
    server.server_close()


def path_of(option: str, name: str) -> Path:
    return Path(local_path(option, name, NullProgress()))


def test_a_file_is_fetched_once(hub: Hub) -> None:
    path = path_of("gan", "hf://me/gan/gan.pt")
    assert path.read_bytes() == b"old gan" and path.parent.name == COMMITS["main"]
    assert not (path.parent / "README.md").exists()  # nothing else is fetched
    fetched = [each for each in hub.asked if each.startswith("GET /me/gan/resolve")]
    assert len(fetched) == 1
    assert path_of("gan", "hf://me/gan/gan.pt") == path
    assert [each for each in hub.asked if each.startswith("GET /me/gan/resolve")] == fetched


def test_a_revision_is_another_file(hub: Hub) -> None:
    assert path_of("gan", "hf://me/gan@v1/gan.pt").read_bytes() == b"old gan of v1"
    with pytest.raises(UsageError, match="--gan hf://me/gan@v2: me/gan has no revision v2"):
        path_of("gan", "hf://me/gan@v2")


def test_a_repository_has_the_file_of_its_option(hub: Hub) -> None:
    assert path_of("gan", "hf://me/gan").name == "gan.pt"
    assert path_of("start", "hf://me/both").name == "gan.safetensors"
    assert path_of("features_of", "hf://me/both").name == "classifier.pt"
    assert path_of("network", "hf://me/both").name == "classifier.pt"
    with pytest.raises(UsageError, match=r"has no explainer.safetensors or explainer.pt$"):
        path_of("explainer", "hf://me/both")


def test_a_folder_is_fetched_without_code_and_with_one_form_of_weights(hub: Hub) -> None:
    folder = path_of("model", "hf://me/ast")
    assert sorted(each.name for each in folder.iterdir()) == ["config.json", "model.safetensors"]
    folder = path_of("model", "hf://me/old")
    assert sorted(each.name for each in folder.iterdir()) == ["config.json", "pytorch_model.bin"]
    with pytest.raises(UsageError, match=r"has no config.json$"):
        path_of("model", "hf://me/code")
    with pytest.raises(UsageError, match="code from the hub is not run"):
        path_of("model", "hf://me/code/net.py:make")


def test_what_follows_a_file_stays(hub: Hub) -> None:
    assert path_of("judge", "hf://me/code/net.onnx@input.toml").name == "net.onnx@input.toml"
    weights = local_path("weights", "hf://me/both@v1/gan.pt:generator", NullProgress())
    assert weights.endswith(f"{COMMITS['v1']}/gan.pt:generator")


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("gan", "hf://me/gan/best.pt", "--gan hf://me/gan/best.pt: me/gan has no best.pt"),
        ("gan", "hf://me/none", "there is no me/none on the hub, or it is private"),
        ("gan", "hf://me/gated", "its authors grant access on request"),
        ("gan", "hf://gan.pt", "write hf://OWNER/NAME"),
        ("model", "hf://me/ast/../../x", "write hf://OWNER/NAME"),
        ("gan", "hf://me/a..b", "not a name of the hub"),
        ("corpus", "hf://me/gan", "only networks are fetched"),
        ("network", "hf://me/none", "hf://me/none: there is no me/none"),
    ],
)
def test_what_cannot_be_had_is_one_line(hub: Hub, option: str, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        path_of(option, name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_one_line(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(GanexplainError, match=r"^--gan hf://me/gan: cannot be fetched \(.*cache"):
        path_of("gan", "hf://me/gan")


def test_without_a_network_the_cache_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of("gan", "hf://me/gan")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert path_of("gan", "hf://me/gan") == path
    with pytest.raises(GanexplainError, match="not in the cache, and the hub cannot be reached"):
        path_of("gan", "hf://me/both")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert path_of("gan", "hf://me/gan") == path
    with pytest.raises(GanexplainError, match="offline mode"):
        path_of("gan", "hf://me/both")


def test_all_options_of_a_config_are_looked_at(hub: Hub) -> None:
    progress = NullProgress()
    config = ExplainConfig(gan="hf://me/gan", classifier="hf://me/both", layer=("fc8",))
    found = with_local_files(config, progress)
    assert Path(found.gan).name == "gan.pt" and Path(found.classifier).name == "classifier.pt"
    assert found.layer == ("fc8",) and len(progress.notes) == 2
    judged = SelectConfig(explanations="e", judge=("descriptors", "hf://me/both"))
    assert with_local_files(judged, progress).judge[0] == "descriptors"
    assert with_local_files(SelectConfig(explanations="e"), progress) == SelectConfig(
        explanations="e"
    )


def test_a_command_takes_it(hub: Hub, command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (PRETRAINED / "referee.pt").read_bytes()
    monkeypatch.setitem(REPOSITORIES, "me/detector", {"classifier.pt": content})
    done = command("layers", "hf://me/detector", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["network"].endswith(f"snapshots/{COMMITS['main']}/classifier.pt")
    done = command("layers", "hf://me/detector@v3")
    assert done.code == 2 and "me/detector has no revision v3" in done.err
