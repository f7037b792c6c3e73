"""Who is here: locks under DATA_DIR/locks that the kernel lets go of at any death.

A process that must be alone (``house``, ``redis``) or must be seen to be there
(``gateways``, ``deciders``) holds a lock of that name for as long as it lives.  Nothing is
written that could be stale: flock(2) belongs to the open file, and ends with it however the
process ends.  A file handed to a child keeps the lock until both are gone.

Also here: ``die_with_parent``, so that nobody stays behind, and ``ending``, what to call it
when somebody has gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_POLL_S: Final = 0.05
_RETRY_S: Final = 0.01
# Loaded here and not in die_with_parent, which runs between fork and exec, where importing
# or loading anything may meet a lock that nobody will ever release.
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


class Held(Exception):
    """Somebody else holds the lock; the text says which, where and, where known, who."""


class Hold:
    """A lock that is held.  Closing it, or the death of all who have it open, ends it."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self.path = path

    def fileno(self) -> int:
        """The open file, to be inherited by a child that shall keep the lock as well."""
        return self._descriptor

    def release(self) -> None:
        """Let go; a second call does nothing.  The file stays: removing it would let two
        processes hold two files of the same name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def hold(data_dir: Path, name: str, *, shared: bool = False, patience_s: float = 0.1) -> Hold:
    """Take the lock ``name``, alone or together with other sharers.

    Keep the answer for as long as the lock is meant.  Raises ``Held`` where the lock is
    still another's after ``patience_s``, and ``OSError`` where DATA_DIR cannot be written.
    The default patience outlasts ``wait_until_free``, which takes a lock for an instant.
    """
    path = _path(data_dir, name)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_s
    while not _try_lock(descriptor, shared=shared):
        if time.monotonic() >= deadline:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise Held(f"{path} is held by another process{holder}")
        time.sleep(_RETRY_S)
    os.ftruncate(descriptor, 0)
    if not shared:
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return Hold(descriptor, path)


async def wait_until_free(data_dir: Path, name: str, timeout: float) -> bool:
    """Wait at most ``timeout`` seconds until nobody holds the lock; False when time ran out.

    Asks every 50 ms, because flock(2) can only be waited for by a thread that blocks, and a
    thread in flock cannot be called off when the time is up.
    """
    deadline = time.monotonic() + timeout
    while not _is_free(data_dir, name):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Have the kernel send this process ``death_signal`` when the process ``parent`` dies.

    To be called in the child between fork and exec (``preexec_fn``): the wish outlives exec.
    The kernel watches the parent's *thread* that forked, so fork from the main one.
    """
    if sys.platform != "linux":
        return  # prctl is Linux's own; elsewhere the locks still keep a second start out
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked, and nobody will tell us any more
        os.kill(os.getpid(), death_signal)


def ending(code: int) -> str:
    """How a process ended, in words: "exit code 3" or "killed by SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _path(data_dir: Path, name: str) -> Path:
    folder = data_dir / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{name}.lock"


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(data_dir: Path, name: str) -> bool:
    descriptor = os.open(_path(data_dir, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return _try_lock(descriptor, shared=False)
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    number = os.pread(descriptor, 20, 0).decode("ascii", "replace")
    return f" (pid {number})" if number.isdigit() else ""
