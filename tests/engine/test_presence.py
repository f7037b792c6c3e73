"""Locks of presence: who is alone, who is there, and that no death leaves one behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine import presence
from tests.processes import Running, environment, is_alive, python, until

HOLDER = (
    "import sys, time, pathlib; from engine import presence\n"
    "lock = presence.hold(pathlib.Path(sys.argv[1]), 'house')\n"
    "print('held', flush=True); time.sleep(60)"
)


def test_a_second_one_is_refused_and_told_who_is_there(tmp_path: Path) -> None:
    """Who wants to be alone and is not learns the lock and the holder's pid."""
    with (
        presence.hold(tmp_path, "house"),
        pytest.raises(presence.Held, match=rf"house\.lock .*\(pid {os.getpid()}\)"),
    ):
        presence.hold(tmp_path, "house")


def test_released_is_free(tmp_path: Path) -> None:
    """After release, also when released twice, the next one gets it."""
    lock = presence.hold(tmp_path, "house")
    lock.release()
    lock.release()
    with presence.hold(tmp_path, "house"):
        pass


def test_sharers_share_and_keep_a_loner_out(tmp_path: Path) -> None:
    """Many gateways are there together; nobody is alone while one of them is."""
    with (
        presence.hold(tmp_path, "gateways", shared=True),
        presence.hold(tmp_path, "gateways", shared=True),
        pytest.raises(presence.Held),
    ):
        presence.hold(tmp_path, "gateways")


def test_names_do_not_meet(tmp_path: Path) -> None:
    """A lock of one name says nothing about another name."""
    with presence.hold(tmp_path, "redis"), presence.hold(tmp_path, "house"):
        pass


def test_patience_outlasts_the_holder(tmp_path: Path) -> None:
    """With patience, a lock that is let go in time is taken."""
    with Running(python("-c", HOLDER, str(tmp_path)), environment()) as holder:
        holder.line_with("held")
        subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -9 {holder.pid}"]).wait()
        with presence.hold(tmp_path, "house", patience_s=10):
            pass


def test_no_death_leaves_it_behind(tmp_path: Path) -> None:
    """The kernel lets go for a holder that was killed."""
    with Running(python("-c", HOLDER, str(tmp_path)), environment()) as holder:
        holder.line_with("held")
        with pytest.raises(presence.Held):
            presence.hold(tmp_path, "house")
        holder.signal(signal.SIGKILL)
        holder.ended()
        with presence.hold(tmp_path, "house"):
            pass


def test_a_child_that_inherits_it_keeps_it(tmp_path: Path) -> None:
    """The lock is held until the child that was handed it is gone too."""
    lock = presence.hold(tmp_path, "redis")
    child = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    try:
        lock.release()
        with pytest.raises(presence.Held):
            presence.hold(tmp_path, "redis")
    finally:
        child.kill()
        child.wait()
    with presence.hold(tmp_path, "redis"):
        pass


async def test_waiting_ends_when_the_last_sharer_goes(tmp_path: Path) -> None:
    """Two gateways drain; the wait ends with the second."""
    first = presence.hold(tmp_path, "gateways", shared=True)
    second = presence.hold(tmp_path, "gateways", shared=True)
    waiting = asyncio.create_task(presence.wait_until_free(tmp_path, "gateways", 20))
    first.release()
    assert not await presence.wait_until_free(tmp_path, "gateways", 0.1)
    assert not waiting.done()
    second.release()
    assert await waiting


async def test_waiting_has_an_end(tmp_path: Path) -> None:
    """A holder that stays is not waited for beyond the time given."""
    with presence.hold(tmp_path, "gateways", shared=True):
        before = time.monotonic()
        assert not await presence.wait_until_free(tmp_path, "gateways", 0.2)
        assert 0.2 <= time.monotonic() - before < 5


async def test_free_from_the_start(tmp_path: Path) -> None:
    """A lock nobody ever took is free at once, whatever the time given."""
    assert await presence.wait_until_free(tmp_path, "gateways", 0)


def test_those_who_wait_do_not_keep_anyone_out(tmp_path: Path) -> None:
    """Asking takes the lock for an instant, and a gateway that starts just then gets in."""
    asking = (
        "import sys, pathlib; from engine import presence\n"
        "print('asking', flush=True)\n"
        "while True: presence._is_free(pathlib.Path(sys.argv[1]), 'gateways')"
    )
    with Running(python("-c", asking, str(tmp_path)), environment()) as asker:
        asker.line_with("asking")
        for _ in range(200):
            presence.hold(tmp_path, "gateways", shared=True).release()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """kill -9 of the parent reaches the child by the kernel."""
    parent = (
        "import functools, os, signal, subprocess, sys; from engine import presence\n"
        "die = functools.partial(presence.die_with_parent, signal.SIGKILL, os.getpid())\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=die)\n"
        "print('child', child.pid, flush=True); child.wait()"
    )
    with Running(python("-c", parent), environment()) as running:
        child = int(running.line_with("child").split()[1])
        assert is_alive(child)
        running.signal(signal.SIGKILL)
        until(lambda: not is_alive(child), "the child's death")


def test_a_child_whose_parent_is_already_dead_does_not_start() -> None:
    """The parent that dies before the wish is made is noticed all the same."""
    orphan = (
        "import signal; from engine import presence\n"
        "presence.die_with_parent(signal.SIGKILL, 999999999); print('lived on')"
    )
    with Running(python("-c", orphan), environment()) as running:
        assert running.ended() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-99, "signal 99")],
)
def test_an_ending_has_a_name(code: int, words: str) -> None:
    """Exit codes and signals are said as people say them."""
    assert words in presence.ending(code)
