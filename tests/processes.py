"""Real processes for tests: started, listened to, and gone when the test is over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

CHECKOUT = Path(__file__).resolve().parent.parent
# Long enough for a loaded build machine; a test that waits this long has failed.
PATIENCE_S = 30.0


class Running:
    """A process whose output (both streams) is collected line by line."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = CHECKOUT
    ) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment() if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def line_with(self, text: str) -> str:
        """The first line that holds ``text``, waited for; fails when the output ends first."""
        found: list[str] = []

        def look() -> bool:
            over = not self._listener.is_alive()  # asked before looking: no line can come after
            found.extend(line for line in self.lines if text in line)
            assert found or not over, f"no {text!r} in what it said:\n" + "\n".join(self.lines)
            return bool(found)

        until(look, f"a line with {text!r}")
        return found[0]

    def ended(self) -> int:
        """The exit code, waited for, with all the output read."""
        code = self._process.wait(PATIENCE_S)
        self._listener.join(PATIENCE_S)
        return code

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        self._listener.join(PATIENCE_S)
        # Whoever writes there now has outlived it; closing would wait for them for ever.
        assert not self._listener.is_alive(), "a child of it is still there"
        assert self._process.stdout is not None
        self._process.stdout.close()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until ``condition`` holds; fails, naming ``what``, when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for {what}"
        time.sleep(0.01)


def python(*arguments: str) -> list[str]:
    """The command that runs this very Python."""
    return [sys.executable, *arguments]


def environment(**variables: str | Path) -> dict[str, str]:
    """A clean environment: none of ours, the checkout importable, and ``variables``."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    given = {name: str(value) for name, value in variables.items()}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", **given}


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs; one that is dead but not yet fetched does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
