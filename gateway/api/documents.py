"""``/openapi.json``, made from the table of routes, and a page to read it at ``/docs``.

Both are made once, at the start, and served as they are: whoever has them already is told so
in a few bytes.  Neither needs a key; nothing in them is secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import pages
from gateway.api.calls import Call, Raw, Reply, signature_of
from gateway.core import openapi
from gateway.core.openapi import Described
from gateway.core.reference import reference
from verifier.api.calls import Call as VerifierCall
from verifier.api.calls import Raw as VerifierRaw

# Asked again each time, and answered by 304 as long as nothing has changed.
_FRESH: Final = "no-cache"


def routes(calls: Sequence[Described]) -> list[Route]:
    """The two routes; *calls* is what they document."""
    document = openapi.document(calls)
    written = msgspec.json.encode(document)
    page = pages.docs_page(reference(document))
    return [
        # Anybody's page may read it, as any tool may.
        _served(
            "/openapi.json",
            Response(
                written,
                headers={"access-control-allow-origin": "*"},
                media_type="application/json",
            ),
        ),
        _served("/docs", page),
    ]


def described(call: Call) -> Described:
    """A row of the table, and its handler's signature, as the document takes them."""
    signature = signature_of(call.handler)
    answers, replies = _answers(signature.answer)
    module = call.handler.__module__.rpartition(".")[2]
    return Described(
        operation_id=f"{module}.{call.handler.__name__}",
        method=call.method,
        path=call.path,
        doc=call.handler.__doc__ or "",
        kind=call.access.kind,
        scope=call.access.scope,
        status=_status(call, answers),
        dialect=call.dialect,
        body=signature.body,
        body_is_optional=signature.body_is_optional,
        body_is_file=signature.body is Raw,
        query=signature.query,
        answer=_one_of(answers),
        # A reply beside the content has a status of its own: what was there already is 200.
        more_statuses=(200,) if replies and call.status == 201 else (),
    )


def described_by_verifier(calls: Iterable[VerifierCall]) -> list[Described]:
    """The rows of the verifier's own table that are the public's, likewise."""
    found: dict[str, Described] = {}
    for call in calls:
        if not call.internal:
            one = _of_verifier(call)
            # A handler may stand at several paths; an operation has a name of its own.
            name = one.operation_id
            if name in found:
                name += "_at_" + re.sub(r"\W+", "_", call.path).strip("_")
            found[name] = replace(one, operation_id=name)
    return list(found.values())


def _of_verifier(call: VerifierCall) -> Described:
    module = call.handler.__module__.rpartition(".")[2]
    name = f"{module}.{call.handler.__name__}"
    signature = call.signature
    is_typed = signature.answer not in (VerifierRaw, NoneType)
    return Described(
        operation_id=name,
        method=call.method,
        path=call.path.replace(":path}", "}"),
        doc=call.handler.__doc__ or "",
        kind="anyone" if call.scope is None else "house",
        scope=call.scope or "",
        status=204 if signature.answer is NoneType else call.status,
        dialect="verifier",
        body=signature.body,
        body_is_form=call.kind == "multipart",
        query=signature.query,
        answer=signature.answer if is_typed else None,
        media=_MEDIA.get(name, "application/json") if signature.answer is VerifierRaw else "",
    )


# What the verifier answers that is no JSON.
_TEXT: Final = "text/plain; charset=utf-8"
_MEDIA: Final[Mapping[str, str]] = {
    "objects.qr_svg": "image/svg+xml",
    "objects.qr_png": "image/png",
    "log.checkpoint": _TEXT,
    "log.tile": "application/octet-stream",
    "log.entries": "application/octet-stream",
    "log.vkeys": _TEXT,
    "public.resolve_item": "application/linkset+json",
    "public.resolve_asset": "application/linkset+json",
}


def _answers(annotation: Any) -> tuple[list[Any], bool]:
    """The types of the content, and whether it may come with a status of its own."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    content = [part for part in parts if part not in (Reply, Raw, None, NoneType)]
    return content, Reply in parts


def _one_of(answers: list[Any]) -> Any:
    return Union[tuple(answers)] if answers else None  # noqa: UP007 - their number is not known


def _status(call: Call, answers: list[Any]) -> int:
    return 204 if not answers and call.status == 200 else call.status


def _served(path: str, response: Response) -> Route:
    """The same answer to everybody, for whom it is new."""
    etag = f'"{sha256(response.body).hexdigest()[:32]}"'
    response.headers["etag"] = etag
    response.headers["cache-control"] = _FRESH
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}

    async def serve(request: Request) -> Response:
        if _has(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=kept)
        return Response(response.body, headers=kept)

    return Route(path, serve)


def _has(condition: str, etag: str) -> bool:
    """RFC 9110, 13.1.2: compared weakly; ``*`` is anything there is."""
    named = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return etag in named or named == ["*"]
