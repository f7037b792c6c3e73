"""``/openapi.json``, made from the table of routes, and a page to read it at ``/docs``.

Both are made once, at the start, and served as they are: whoever has them already is told so
in a few bytes.  Neither needs a key; nothing in them is secret.
"""

from __future__ import annotations

from collections.abc import Sequence
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

# Asked again each time, and answered by 304 as long as nothing has changed.
_FRESH: Final = "no-cache"


def routes(calls: Sequence[Call]) -> list[Route]:
    """The two routes; *calls* is the table that they document."""
    document = openapi.document([described(call) for call in calls])
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
