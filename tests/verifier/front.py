"""The house's front for a browser: the verifier's real application behind a stand-in gateway.

It does what the gateway does at its door and no more: static files, who asks, and the desk's
cookie for one key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from gateway import pages as gateway_pages
from tests.verifier.api.house import ALL
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import KEY, NOW
from verifier.api.calls import Application, Limits, Verifier
from verifier.api.pages import PAGES
from verifier.api.routes import CALLS
from verifier.photographs.workers import Workers
from verifier.registry import objects, photos, rotation
from verifier.registry.objects import Object
from verifier.registry.scans import Counter
from verifier.store import open_store

DESK_KEY = "optr_test_desk"


class Front:
    """One house on loopback: ``url`` is its PUBLIC_URL."""

    def __init__(self, folder: Path) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        name = "Ashdown & Vere"
        url = f"sqlite:///{folder}/verifier.db"
        self.store = open_store(url, KEY, folder / "photos", self.url, "952", name)
        rotation.begin(self.store, NOW)
        self.now = NOW
        self.origins: list[str | None] = []  # of what was posted
        self.photograph = b""  # the form with the last one that was sent
        self.workers: Workers
        self._application: Application
        self._static = StaticFiles(directory=gateway_pages.STATIC)

    def run(self, work: Any) -> Any:
        """Run a coroutine where the worker lives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    @contextlib.contextmanager
    def serving(self) -> Iterator[Front]:
        """Answer until the end of the block."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self._server.should_exit = True
            thread.join(20)
            self.store.engine.dispose()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self.workers = Workers()
        verifier = Verifier(
            store=self.store,
            workers=self.workers,
            scans=Counter(self.store),
            limits=Limits.of(None),
            now_ms=lambda: self.now,
            monotonic=self._loop.time,
        )
        self._application = Application(verifier, (*CALLS, *PAGES))
        config = uvicorn.Config(
            self._answer, log_config=None, lifespan="off", ws="none", interface="asgi3"
        )
        self._server = uvicorn.Server(config)
        ready.set()
        await self._server.serve(sockets=[self._listener])
        await self.workers.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.url.path
        if request.method == "POST":
            self.origins.append(request.headers.get("origin"))
        if path.startswith("/static/"):
            await self._static({**scope, "root_path": "/static"}, receive, send)
        elif path in ("/admin/objects/sign-in", "/admin/objects/sign-out"):
            response = await self._sign(request)
            await response(scope, receive, send)
        else:
            MutableHeaders(scope=scope)["x-fairwarning-caller"] = self._caller(request)
            await self._application(scope, self._overheard(request, receive), send)

    def _overheard(self, request: Request, receive: Receive) -> Receive:
        if not request.url.path.endswith("/photo"):
            return receive
        self.photograph = b""

        async def hear() -> Message:
            message = await receive()
            self.photograph += message.get("body", b"")
            return message

        return hear

    async def _sign(self, request: Request) -> RedirectResponse:
        key = (await request.form()).get("key")
        if request.url.path.endswith("sign-out"):
            response = RedirectResponse("/admin/objects", 303)
            response.delete_cookie("desk", path="/admin")
        elif key == DESK_KEY and request.headers.get("origin") == self.url:
            response = RedirectResponse("/admin/objects", 303)
            response.set_cookie("desk", DESK_KEY, path="/admin", httponly=True, samesite="strict")
        else:
            response = RedirectResponse("/admin/objects?error=1", 303)
        return response

    def _caller(self, request: Request) -> str:
        known: dict[str, Any] = {"status": "missing"}
        if request.cookies.get("desk") == DESK_KEY:
            known = {"status": "valid", "mode": "test", "scopes": ALL}
        return json.dumps({"address": "203.0.113.7", "host": request.headers["host"], "key": known})


def lot_picture(name: str) -> bytes:
    """A photograph of a lot of the demonstration."""
    return (gateway_pages.STATIC / "lots" / name).read_bytes()


def register(front: Front) -> Object:
    """The vase of the demonstration, photographed and catalogued."""
    said = objects.Registration(
        "A crackled celadon mallet vase",
        "sculpture",
        description="Longquan, Southern Song.\nHairline to the rim.",
        estimate={"min": 4_000_000, "max": 6_000_000, "currency": "EUR", "exponent": 2},
        owner=desk.CONSIGNOR,
        attributes={"materials": "Stoneware", "height_mm": 284},
    )
    object_id = objects.register(front.store, desk.MODE, said, NOW).row.object_id
    for angle, name in (("overall", "mallet-wide.jpg"), ("detail_1", "mallet-rim.jpg")):
        adding = photos.add(
            front.store, front.workers, desk.MODE, object_id, angle, lot_picture(name), NOW
        )
        added = front.run(adding).object
    return desk.post(front.store, added, "cataloged", NOW, catalogNumber="214")
