"""A headless Chromium driven over the DevTools protocol: what a reader of a page would do."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
    "--mute-audio --autoplay-policy=no-user-gesture-required --hide-scrollbars "
    "--remote-debugging-port=0"
)
PATIENCE = 60.0  # s, of a busy machine
ARROWS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32, **ARROWS}


class Page:
    """One tab. `complaints` gathers what the console or an uncaught error says."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection, self.numbers = connection, itertools.count(1)
        self.complaints: list[str] = []
        self.loaded = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.connection.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._notice(message)

    def _notice(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded += 1
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"{params['type']}: {params['args']}")
        elif method == "Network.requestWillBeSent":
            address = params["request"]["url"]
            if not address.startswith(("data:", "file:")):
                self.complaints.append(f"fetches {address}")

    def open(self, path: Path) -> None:
        """Load a file to the end."""
        before = self.loaded
        self.call("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + PATIENCE
        while self.loaded == before:
            assert time.monotonic() < end, "the page does not load"
            self._notice(json.loads(self.connection.recv(timeout=PATIENCE)))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait for an expression to become true."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click the middle of the first line of the first element that the selector finds."""
        query = json.dumps(selector)
        self.evaluate(f"document.querySelector({query}).scrollIntoView({{block: 'center'}})")
        box = self.evaluate(f"document.querySelector({query}).getClientRects()[0].toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place
            )  # fmt: skip

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        code = KEYS.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        event = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def look(self, width: int, scheme: str = "light", media: str = "") -> None:
        """Set the width of the window, the colour scheme, and `print` or nothing."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def picture(self) -> bytes:
        """A PNG of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def pdf(self) -> bytes:
        """The page as it prints on A4."""
        made = self.call(
            "Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69
        )
        return base64.b64decode(made["data"])


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A Chromium with a fresh profile and one tab, ended on leaving."""
    address = profile / "DevToolsActivePort"
    with subprocess.Popen(
        [str(CHROMIUM), *FLAGS.split(), f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            end = time.monotonic() + PATIENCE
            while not (address.is_file() and len(address.read_text().split()) == 2):
                assert process.poll() is None, "Chromium has ended"
                assert time.monotonic() < end, "Chromium does not start"
                time.sleep(0.05)
            port, path = address.read_text().split()
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as root:
                made = _root_call(root, "Target.createTarget", url="about:blank")
            tab = f"ws://127.0.0.1:{port}/devtools/page/{made['targetId']}"
            with connect(tab, max_size=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def _root_call(root: ClientConnection, method: str, **params: Any) -> dict[str, Any]:
    root.send(json.dumps({"id": 1, "method": method, "params": params}))
    while True:
        message = json.loads(root.recv(timeout=PATIENCE))
        if message.get("id") == 1:
            return dict(message["result"])
