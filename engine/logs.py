"""How processes speak: one line an event, for a person (console) or a machine (json).

Promises: every line carries its time in UTC, its level and the process it comes from;
lines of libraries that use the standard ``logging`` (uvicorn, alembic) look the same; and a
URL that slips in shows no password.  Lines go to standard output, where the launcher
or whatever else runs the process picks them up.

Leaves to others: what is worth saying.  Never a token, a key, a limit or a reserve.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.settings import LogFormat

_ACCOUNT_IN_URL: Final = re.compile(r"(://)[^/\s\"]*@")
# Sign-in codes, access tokens and keys of every kind: whatever looks like one is masked.
_SECRET: Final = re.compile(
    r"(/sign-in/|\b(?:sk|optr)_(?:test|live)_|\beyJ[\w-]{8})[\w.-]+",
)


def configure(log_format: LogFormat, process_name: str) -> None:
    """Set up structlog and the standard ``logging`` of this process; call it once, first."""
    shared = _shared_processors(process_name)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _renderer(log_format),
            _mask_line,
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    _adopt_library_loggers()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def mask(line: str) -> str:
    """The line without what should never have been in it."""
    return _SECRET.sub(r"\1***", _ACCOUNT_IN_URL.sub(r"\1***@", line))


def _shared_processors(process_name: str) -> list[Processor]:
    def name_the_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "process": process_name}

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        name_the_process,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(log_format: LogFormat) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())


def _mask_line(_: WrappedLogger, __: str, line: object) -> str:
    # Last of all, so that no field, message or traceback goes around it.
    return mask(str(line))


def _adopt_library_loggers() -> None:
    # uvicorn hangs its own handlers on these; without this each of its lines would come twice.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # One line a request is the access log of whatever stands in front, and slows us down.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    # Which dialect and transaction mode a migration runs in is no news to whoever runs a sale.
    logging.getLogger("alembic").setLevel(logging.WARNING)
