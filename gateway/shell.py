"""What of the house works without a line: a page that says that nothing does.

A browser keeps the shell, the pages' static files, and falls back on it where the house cannot
be reached; what is asked of the house is never kept.  So nobody ever reads an old price, and
whoever opens a page offline is told that no bid has been placed.  ``static/sw.js`` does this in
the browser; here it is told which files there are, and their version.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway import pages
from gateway.core.phrases import LANGUAGES, LOCALES

# Photographs are the sales', and the APIs' page is for those who write programs.
_KINDS: Final = (".js", ".css", ".woff2", ".svg")
_LEFT_OUT: Final = ("sw.js", "docs.js", "docs.css")


def routes() -> list[Route]:
    """The service worker, and the page that it shows."""
    return [
        Route("/sw.js", service_worker),
        *(Route(f"/offline/{locale}", offline, name=locale) for locale in LOCALES.values()),
    ]


async def service_worker(_request: Request) -> Response:
    """The worker with its list.  It is asked for anew each time: it must never outlive us."""
    return Response(_worker(), media_type="text/javascript", headers={"cache-control": "no-cache"})


async def offline(request: Request) -> HTMLResponse:
    """The page of a reader whom no page reaches, in the language of its path."""
    language = next(name for name in LANGUAGES if request.url.path.endswith(LOCALES[name]))
    return pages.render("offline.html", pages.Visit(language))


@cache
def _worker() -> str:
    files = {path: _digest(file) for path, file in _shell()}
    version = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
    paths = [*files, *(f"/offline/{locale}" for locale in LOCALES.values())]
    given = f"const VERSION = {json.dumps(version)};\nconst SHELL = {json.dumps(paths)};\n"
    return given + (pages.STATIC / "sw.js").read_text(encoding="utf-8")


def _shell() -> list[tuple[str, Path]]:
    """Every file of the shell, by the path that it is served under."""
    files = (file for file in pages.STATIC.rglob("*") if file.suffix in _KINDS)
    return sorted(
        (f"/static/{file.relative_to(pages.STATIC).as_posix()}", file)
        for file in files
        if file.name not in _LEFT_OUT
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
