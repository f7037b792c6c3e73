"""A verifier that does only what a test tells it to: a real HTTP server on the real socket.

It answers what the gateway and the clerk ask of the verifier's internal API out of what the
test has put there, remembers everything that it was asked, and can be slow, dead or wrong.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE"]


@dataclass(frozen=True)
class Heard:
    """One request, as it came."""

    method: str
    target: str  # path and query, escaped as they were
    headers: dict[str, str]
    body: bytes

    @property
    def caller(self) -> Json:
        """Who asks, as the gateway says."""
        found: Json = json.loads(self.headers["x-fairwarning-caller"])
        return found


@dataclass
class Verifier:
    """Everything a test sets or looks at."""

    objects: dict[str, Json] = field(default_factory=dict)  # by what it was asked for
    news: list[Json] = field(default_factory=list)  # in the order in which they came
    happenings: list[Json] = field(default_factory=list)
    keys: list[Json] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    # What becomes of a piece of news; None: 503.
    takes: Callable[[Json], Json | None] = lambda _news: {"recorded": True, "reason": None}
    public: Callable[[Request], Awaitable[Response]] | None = None  # what the public is answered

    def app(self) -> Starlette:
        """The verifier as a server."""
        return Starlette(
            routes=[
                Route("/internal/objects/{serial}", self._object),
                Route("/internal/claims", self._claim, methods=["POST"]),
                Route("/internal/news", self._news, methods=["POST"]),
                Route("/internal/news/known", self._known, methods=["POST"]),
                Route("/internal/happenings", self._happenings),
                Route("/internal/jwks", self._jwks),
                Route("/internal/{path:path}", _nothing),
                Route("/{path:path}", self._public, methods=METHODS),
            ]
        )

    async def _object(self, request: Request) -> Response:
        await self._note(request)
        found = self.objects.get(request.path_params["serial"])
        if found is None or found["mode"] != request.query_params["mode"]:
            return JSONResponse({"status": "unknown"}, 404)
        return JSONResponse({name: value for name, value in found.items() if name != "mode"})

    async def _claim(self, request: Request) -> Response:
        said = json.loads((await self._note(request)).body)
        found = self.objects.get(said["serial"])
        if found is None or found["mode"] != said["mode"]:
            return JSONResponse({"status": "unknown"}, 404)
        free = found["open_auction"] is None and found["binding_status"] == "bound"
        if free and found["status"] in ("cataloged", "listed"):
            # However it is typed, it is one object.
            for other in self.objects.values():
                if other["serial"] == found["serial"]:
                    other["open_auction"] = said["auction_id"]
        return JSONResponse({name: value for name, value in found.items() if name != "mode"})

    async def _news(self, request: Request) -> Response:
        news = json.loads((await self._note(request)).body)
        if news.pop("after") not in (None, *self._origins()):
            return JSONResponse({}, 409)
        answer = self.takes(news)
        if answer is None:
            return JSONResponse({}, 503)
        if news["origin"] not in self._origins():
            self.news.append(news)
        return JSONResponse(answer)

    def _origins(self) -> list[str]:
        return [one["origin"] for one in self.news]

    async def _known(self, request: Request) -> Response:
        asked = json.loads((await self._note(request)).body)["origins"]
        return JSONResponse({"known": [one for one in asked if one in self._origins()]})

    async def _happenings(self, request: Request) -> Response:
        await self._note(request)
        after, limit = (int(request.query_params[name]) for name in ("after", "limit"))
        found = [one for one in self.happenings if one["number"] > after]
        return JSONResponse({"happenings": found[:limit]})

    async def _jwks(self, request: Request) -> Response:
        await self._note(request)
        return JSONResponse({"keys": self.keys})

    async def _public(self, request: Request) -> Response:
        if self.public is not None:
            return await self.public(request)
        heard = await self._note(request)
        return JSONResponse({"path": heard.target}, headers={"X-Of-Verifier": "yes"})

    async def _note(self, request: Request) -> Heard:
        raw: bytes = request.scope["raw_path"]
        query: bytes = request.scope["query_string"]
        target = raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
        headers = dict(request.headers.items())
        heard = Heard(request.method, target, headers, await request.body())
        self.heard.append(heard)
        return heard


async def _nothing(_request: Request) -> Response:
    return Response(status_code=404)


@asynccontextmanager
async def serving(app: Any, **where: Any) -> AsyncIterator[uvicorn.Server]:
    """A real server for an application, in this loop: ``uds=…``, or ``port=…``."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        loop="none",
        timeout_graceful_shutdown=1,
        **where,
    )
    server = uvicorn.Server(config)
    # Not serve(), which would take the signals of the test run for itself.
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
        if task.done():
            await task
    try:
        yield server
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def on_socket(verifier: Verifier, socket: Path) -> AsyncIterator[Verifier]:
    """The verifier, listening there."""
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        socket.unlink()
    async with serving(verifier.app(), uds=str(socket)):
        yield verifier
    with suppress(FileNotFoundError):
        socket.unlink()
