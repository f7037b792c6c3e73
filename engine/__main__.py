"""The Procfile's process ``engine``: settings, the log, the loop, and an orderly end.

Told to stop, it goes on deciding until the last gateway has drained, then gives its leases
up.  When the log cannot be used any more it ends with one line that says why.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
import time

import structlog
import uvloop

from engine import logs, presence
from engine.clock import LogClock
from engine.core.codec import UnreadableRecord
from engine.loop import Engine
from engine.settings import (
    BadSetting,
    LogSettings,
    read_log_settings,
    refuse_to_start,
    unusable_data_dir,
)
from engine.streams import StreamError, WrongShards, open_when_ready

GATEWAYS_DRAIN_S = 20.0  # they take at most 10 s; twice that is a hang

log = structlog.stdlib.get_logger()


def main() -> int:
    """Run the engine until told to stop; 0 after an orderly end, 1 when the log failed."""
    try:
        settings = read_log_settings(os.environ)
        logs.configure(settings.log_format, "engine")
        with presence.hold(settings.data_dir, "deciders", shared=True):
            return uvloop.run(_run(settings))
    except (BadSetting, presence.Held) as complaint:
        return refuse_to_start(complaint)
    except OSError as failure:
        return refuse_to_start(unusable_data_dir(settings.data_dir, failure))


async def _run(settings: LogSettings) -> int:
    try:
        store = await open_when_ready(settings.url)
    except StreamError as error:
        return refuse_to_start(error)
    try:
        await store.load_functions()
        engine = Engine(
            store,
            settings.shards,
            node=f"{socket.gethostname()}-{secrets.token_hex(8)}",
            lineage=lambda: secrets.token_hex(8),
            clock=LogClock(time.monotonic),
            sleep=asyncio.sleep,
        )
        stopping = asyncio.create_task(_stop_after_gateways(engine, settings))
        await engine.run()
        stopping.cancel()
    except WrongShards as complaint:
        return refuse_to_start(complaint)
    except (StreamError, UnreadableRecord) as error:
        log.error("the engine ended", reason=str(error))
        return 1
    finally:
        await store.close()
    return 0


async def _stop_after_gateways(engine: Engine, settings: LogSettings) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()
    if not await presence.wait_until_free(settings.data_dir, "gateways", GATEWAYS_DRAIN_S):
        log.warning("stopping although a gateway is left")
    engine.stop()


if __name__ == "__main__":
    sys.exit(main())
