"""A real headless Chromium, driven over its own pipe: no library, no port, no request leaves the machine.

The protocol is Chromium's DevTools protocol, JSON messages that end in a zero byte, read from file descriptor 3 and
written to 4 (``--remote-debugging-pipe``).
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Browser:
    """One page in a browser: what it logs and asks for is kept."""

    def __init__(self, write: int, read: int, seconds: float) -> None:
        self._write, self._read, self._seconds = write, read, seconds
        self._buffer, self._number = b"", 0
        self._loaded: set[tuple[str, str]] = set()
        self.errors: list[str] = []
        self.failed: list[str] = []
        self.asked: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str | None = None
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def open(
        self, page: Path | str, width: int = 1280, height: int = 900, *, dark: bool = False, printed: bool = False
    ) -> None:
        """Load a page at a width, and wait until it has loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media="print" if printed else "", features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        # By way of an empty page: an address that differs in its end alone is no new one.
        for url in ("about:blank", page if isinstance(page, str) else page.as_uri()):
            loader = self._call("Page.navigate", url=url).get("loaderId")
            self._wait(loader)

    def run(self, script: str) -> Any:
        """Evaluate an expression, or the body of an async function that returns."""
        if "return" in script:
            script = f"(async () => {{ {script} }})()"
        done = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in done:
            raise AssertionError(json.dumps(done["exceptionDetails"]))
        return done["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + self._seconds
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text=text if kind == "keyDown" else "",
            )

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen as PNG; the whole page or the window."""
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def script(self, *, on: bool) -> None:
        """Switch the scripts of pages on or off."""
        self._call("Emulation.setScriptExecutionDisabled", value=not on)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if getattr(self, "_session", None):
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + self._seconds
        while True:
            found = self._next(until)
            if found.get("id") == self._number:
                if "error" in found:
                    raise AssertionError(f"{method}: {found['error']}")
                return found.get("result", {})  # type: ignore[no-any-return]

    def _wait(self, loader: str | None) -> None:
        """Wait until the page of this loader has loaded."""
        until = time.monotonic() + self._seconds
        while loader is not None and ("load", loader) not in self._loaded:
            self._next(until)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._read, 1 << 20) if ready else b""
            if not part:
                raise TimeoutError("Chromium does not answer")
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        found: dict[str, Any] = json.loads(text)
        if "method" in found:
            self._note(found)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        method, params = event["method"], event["params"]
        if method == "Page.lifecycleEvent":
            self._loaded.add((params["name"], params["loaderId"]))
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(json.dumps(params["args"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(json.dumps(params["entry"])[:500])
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Network.loadingFailed" and not params.get("canceled"):
            self.failed.append(json.dumps(params)[:500])


@contextmanager
def browser(profile: Path, seconds: float = 120) -> Iterator[Browser]:
    """Start Chromium with a profile of its own.

    Args:
        profile: A folder for it.
        seconds: How long it may take to answer anything.
    """
    assert CHROMIUM is not None
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def descriptors() -> None:
        # To free numbers above 4 first, so that nothing is overwritten before it is moved.
        read, write = (fcntl.fcntl(one, fcntl.F_DUPFD, 5) for one in (to_read, from_write))
        os.dup2(read, 3)
        os.dup2(write, 4)

    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=log,
            stderr=log,
            preexec_fn=descriptors,  # noqa: PLW1509 - a test has one thread
            close_fds=False,
        )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Browser(to_write, from_read, seconds)
    finally:
        process.kill()
        process.wait()
        os.close(to_write)
        os.close(from_read)
