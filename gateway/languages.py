"""Which language a reader sees, and its words.

The catalogues are ``words/<area>.<language>.json``: an area is a part of the house's pages, and
its keys begin with its name.  The reader's own choice (the footer's switch, kept in a cookie)
goes before what their browser asks for, and English is spoken where neither decides.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.api import calls
from gateway.core.phrases import LANGUAGES, Language, Phrase, Phrases, preferred
from gateway.core.problems import Problem

if TYPE_CHECKING:
    from gateway.app import Gateway

WORDS: Final = Path(__file__).parent / "words"
COOKIE: Final = "lang"
_LIVES_S: Final = 365 * 24 * 3_600
_LARGEST_FORM: Final = 4_096


def routes() -> list[Route]:
    """The footer's switch."""
    return [Route("/language", choose, methods=["POST"])]


@cache
def phrases_in(language: Language) -> Phrases:
    """All areas' words in one language, read once."""
    catalogue: dict[str, Phrase] = {}
    for file in sorted(WORDS.glob(f"*.{language}.json")):
        catalogue.update(json.loads(file.read_text(encoding="utf-8")))
    return Phrases(language, catalogue)


def language_of(request: Request) -> Language:
    """The language that this browser is answered in."""
    return chosen_language(request) or preferred(request.headers.get("accept-language", ""))


def chosen_language(request: Request) -> Language | None:
    """The language that was chosen on this browser; None: none was."""
    chosen = request.cookies.get(COOKIE)
    return next((language for language in LANGUAGES if language == chosen), None)


async def choose(request: Request) -> Response:
    """Keep the reader's choice, and go back to the page it was made on.

    It needs no proof of who asks: all that another site could do is change the words, and the
    cookie it would need for more is not touched.
    """
    gateway: Gateway = request.app.state.gateway
    try:
        body = await calls.body_of(request, _LARGEST_FORM)
    except Problem as problem:
        return PlainTextResponse("That is no language.", problem.status)
    form = parse_qs(body.decode("utf-8", "replace"))
    chosen = form.get("language", [""])[0]
    if chosen not in LANGUAGES:
        return PlainTextResponse("There is no such language here.", 400)
    response = RedirectResponse(own_path(form.get("next", ["/"])[0]), 303)
    response.set_cookie(
        COOKIE,
        chosen,
        max_age=_LIVES_S,
        samesite="lax",
        httponly=True,
        secure=gateway.settings.public_url.startswith("https:"),
    )
    return response


def own_path(target: str) -> str:
    """The target if it is a page of ours, else the front page: nobody is sent elsewhere."""
    is_own = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_own and target.isprintable() else "/"
