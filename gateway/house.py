"""Opens the house: what ``make run`` runs (``python -m gateway.house``).

It checks what can be checked before anything starts (settings, folder, port, a house already
open), makes the keys, runs the Procfile's processes under honcho, and when bids can be
decided prints where everything is.  When one process dies, all stop, and the last line names
the one that died: a house that is half there takes bids it cannot answer.

At SIGTERM or Ctrl-C every process is told at once; they order their own ends by the locks of
``engine.presence``.  None of them outlives this one, not even when it is killed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from honcho import manager
from honcho.environ import parse_procfile
from honcho.printer import Printer
from honcho.process import Popen, Process

from engine import presence
from engine.settings import BadSetting, refuse_to_start, unusable_data_dir
from gateway import keys
from gateway.settings import GatewaySettings, read_gateway_settings

# Gateways drain for up to 10 s, the deciders follow, and the keeper waits 20 s for both.
_STOP_WITHIN_S: Final = 25.0
# The port of a house that was killed a moment ago: its gateways are dying.
_DYING_PREDECESSOR_S: Final = 1.0
_ASK_READY_EVERY_S: Final = 0.1
_ASK_READY_FOR_S: Final = 300.0  # a long log is being read; nobody looks at the block after that
_BIDDERS_SHOWN: Final = 5


class BadProcfile(Exception):
    """The Procfile cannot be run; the text is for the operator."""


def main(procfile: Path = Path("Procfile")) -> int:
    """Run the house until told to stop; 0 after an orderly end, 1 after a death, 2 refused."""
    # Death is passed on from parent to child, which asks for plain forks of this process;
    # the default of Python 3.14 puts a fork server in between.
    multiprocessing.set_start_method("fork", force=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text file here
    try:
        settings = read_gateway_settings(os.environ)
        with _opened(settings):
            house_keys = _made_keys(settings)
            house = House(settings, house_keys)
            house.take_in(procfile)
            house.loop()
            return house.farewell()
    except (BadSetting, BadProcfile, presence.Held, keys.BadKeys) as complaint:
        return refuse_to_start(complaint)


class House(manager.Manager):  # type: ignore[misc]  # honcho has no types
    """honcho's manager, told when to give up and asked who died first."""

    def __init__(self, settings: GatewaySettings, house_keys: keys.HouseKeys) -> None:
        super().__init__(Printer(sys.stdout))
        self._settings = settings
        self._keys = house_keys
        self._process_ctor = partial(_HouseProcess, os.getpid())
        self._stop_early = False  # told to stop before every process had started
        self._give_up_at: float | None = None
        self._first_dead: str | None = None

    def take_in(self, procfile: Path) -> None:
        """Add the processes of the Procfile, as many of each as the settings say."""
        counts = {"gateway": self._settings.gateways, "engine": self._settings.engines}
        env = _environment(os.environ, self._settings)
        for name, command in _commands(procfile).items():
            for number in range(1, counts.get(name, 1) + 1):
                # "exec": the shell becomes the process, and signals reach it and nobody else.
                self.add_process(f"{name}.{number}", f"exec {command}", env=env)

    def terminate(self) -> None:
        """Tell all to stop.  honcho calls it at a signal and when a process has ended."""
        if not super()._all_started():
            self._stop_early = True
            return
        if self._give_up_at is None:
            self._give_up_at = time.monotonic() + _STOP_WITHIN_S
            ended = [name for name, state in self._processes.items() if "returncode" in state]
            self._first_dead = ended[0] if ended else None
        super().terminate()

    def farewell(self) -> int:
        """Say how it ended, in one line, after ``loop``; the exit code of the house."""
        codes = {name: int(state["returncode"]) for name, state in self._processes.items()}
        if self._first_dead is not None:
            how = presence.ending(codes[self._first_dead])
            print(f"{self._first_dead} died ({how}); the house has stopped")
            return 1
        # A process told to stop before it could listen to the signal was stopped by it.
        badly = {name: code for name, code in codes.items() if code not in (0, -signal.SIGTERM)}
        if badly:
            names = ", ".join(f"{name} ({presence.ending(code)})" for name, code in badly.items())
            print(f"the house has stopped, but not in order: {names}")
            return 1
        print("the house has stopped")
        return 0

    def _start(self) -> None:
        super()._start()
        # After the last fork: a process forked beside a running thread may inherit its locks.
        watcher = partial(_announce, self._settings, self._keys)
        threading.Thread(target=watcher, daemon=True, name="announce").start()

    def _all_started(self) -> bool:
        # The loop asks this every tenth of a second, which makes it the place to keep time:
        # honcho itself gives up only once some process has ended, and forgets a signal that
        # comes before it knows every pid.
        started = bool(super()._all_started())
        if started and self._stop_early:
            self._stop_early = False
            self.terminate()
        if self._give_up_at is not None and time.monotonic() > self._give_up_at:
            self._give_up_at = float("inf")
            self.kill()
        return started


# honcho's own patience, counted from the first process that ended.
manager.KILL_WAIT = _STOP_WITHIN_S


class _HouseProcess(Process):  # type: ignore[misc]  # honcho has no types
    """honcho's process, which with the program it runs dies when the house does.

    honcho keeps a process of its own between us and the program; SIGKILL is the one signal
    that one does not ignore.  The program gets SIGKILL too: nobody reads its output any
    more, and what it had answered is in the log.
    """

    def __init__(self, house_pid: int, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._house_pid = house_pid

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        presence.die_with_parent(signal.SIGKILL, self._house_pid)
        die_with_us = partial(presence.die_with_parent, signal.SIGKILL, os.getpid())
        self._child_ctor = partial(Popen, preexec_fn=die_with_us, stdin=subprocess.DEVNULL)
        super().run(events, ignore_signals)


def _commands(procfile: Path) -> dict[str, str]:
    try:
        commands: dict[str, str] = parse_procfile(procfile.read_text()).processes
    except (OSError, AssertionError) as failure:  # honcho asserts that names are unique
        raise BadProcfile(f"{procfile}: {failure}; start in the checkout's folder") from failure
    if not commands:
        raise BadProcfile(f"{procfile} names no process")
    return commands


def _environment(environ: Mapping[str, str], settings: GatewaySettings) -> dict[str, str]:
    """What the processes are told: our own environment, and what only we can know."""
    return {
        **environ,
        "DATA_DIR": str(settings.log.data_dir),
        # They write into a pipe; whether a person reads it at the other end we can see.
        "LOG_FORMAT": settings.log.log_format,
        "PYTHONUNBUFFERED": "1",
    }


# Before anything starts.


def _opened(settings: GatewaySettings) -> presence.Hold:
    """The house's lock, with DATA_DIR and the port found fit for use."""
    data_dir = settings.log.data_dir
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = presence.hold(data_dir, "house", patience_s=_DYING_PREDECESSOR_S)
    except OSError as failure:
        raise unusable_data_dir(data_dir, failure) from failure
    except presence.Held as held:
        raise BadSetting(
            "DATA_DIR", str(data_dir), f"a folder no other house is open on; {held}"
        ) from held
    try:
        _require_free_port(settings)
    except BaseException:
        lock.release()
        raise
    return lock


def _made_keys(settings: GatewaySettings) -> keys.HouseKeys:
    try:
        return keys.load_or_create(settings, time.time_ns() // 1_000_000)
    except OSError as failure:
        raise unusable_data_dir(settings.log.data_dir, failure) from failure


def _require_free_port(settings: GatewaySettings) -> None:
    """Raises ``BadSetting`` where HOST:PORT cannot be ours.

    Tried without SO_REUSEPORT: the gateways share the port by it, and would share it with
    the gateways of another house as well.
    """
    deadline = time.monotonic() + _DYING_PREDECESSOR_S
    while True:
        try:
            return _try_port(settings.host, settings.port)
        except OSError as failure:
            if failure.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise _port_complaint(settings, failure) from failure
            time.sleep(0.05)


def _try_port(host: str, port: int) -> None:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)


def _port_complaint(settings: GatewaySettings, failure: OSError) -> BadSetting:
    port = str(settings.port)
    if failure.errno == errno.EADDRINUSE:
        return BadSetting("PORT", port, f"a free port; {settings.host}:{port} is already taken")
    if failure.errno == errno.EACCES:
        return BadSetting("PORT", port, f"a port this user may open ({failure.strerror})")
    reason = failure.strerror or str(failure)
    return BadSetting("HOST", settings.host, f"an address of this machine ({reason})")


# When the house is open.


def _announce(settings: GatewaySettings, house_keys: keys.HouseKeys) -> None:
    deadline = time.monotonic() + _ASK_READY_FOR_S
    while time.monotonic() < deadline:
        if _is_ready(settings):
            print("\n".join(["", *_welcome(settings, house_keys), ""]), flush=True)
            return
        time.sleep(_ASK_READY_EVERY_S)


def _is_ready(settings: GatewaySettings) -> bool:
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = wildcard.get(settings.host, settings.host)
    address = f"[{host}]" if ":" in host else host
    # Without proxies: the environment's are for the world outside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}:{settings.port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # not there yet, or a 503 (HTTPError is an OSError)
        return False


def _welcome(settings: GatewaySettings, house_keys: keys.HouseKeys) -> Iterable[str]:
    url = settings.public_url
    yield "The house is open."
    yield f"  pages            {url}/"
    yield f"  API              {url}/api/v1/"
    yield f"  live bidding     {'ws' + url.removeprefix('http')}/ws"
    yield f"  keys             {settings.log.data_dir / 'keys.json'}"
    yield f"  publishable key  {house_keys.publishable_key}"
    demo = house_keys.demo
    if demo is None:
        return
    yield "Sign in to the demonstration sale as"
    for bidder in demo.bidders[:_BIDDERS_SHOWN]:
        link = f"{bidder.url}?next=/lot/{demo.auction_ids[0]}"
        yield f"  {bidder.name:<16} paddle {bidder.paddle}  {link}"
    yield "and as the house"
    yield f"  {'the auctioneer':<28}{demo.console_url}"
    yield f"  {'the clerk':<28}{demo.admin_url}"


if __name__ == "__main__":
    sys.exit(main())
