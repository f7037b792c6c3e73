"""The pages that people see, as HTML.

What is rendered here is complete and true without JavaScript, and has no control that would
pretend to work.  A live page's own modules take over from the state that is embedded in it.

This module promises one strict set of security headers on every page, escaped text everywhere,
every word in the reader's language (``core.phrases``), and amounts written exactly as the
browser will write them (``core.money``), so that nothing flickers when the page comes alive.
A page of another module is rendered by ``render`` too, and promises the same.  It knows nothing of Redis, the engine or the database: everything it shows is
handed to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from gateway import scripts
from gateway.core.instants import format_instant
from gateway.core.money import format_money, format_range
from gateway.core.phrases import LANGUAGES, LOCALES, Language
from gateway.core.reference import Reference
from gateway.languages import language_of, phrases_in

STATIC = Path(__file__).parent / "static"  # served under /static/

_SECURITY_HEADERS = {
    # Only what the pages use.  Inline scripts, inline styles and other hosts are all refused;
    # the state of a page is a data block, which no policy counts as a script.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        # lit-html: the vendored Lit's own; house: registers the service worker, nothing else.
        "require-trusted-types-for 'script'; trusted-types lit-html house"
    ),
    "x-content-type-options": "nosniff",
    # With no-referrer a browser would send "Origin: null" with a form, and nobody could tell
    # whether a page of ours had sent it.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # A lot page holds its viewer's own standing and token: nobody else may be given it.
    "cache-control": "no-store",
}

_OVER = {"closed", "settling", "settled", "canceled"}


@dataclass(frozen=True)
class Visit:
    """Who looks at what: the page's path, and the language it is read in."""

    language: Language = "en"
    path: str = "/"  # with its query: where the switch of languages comes back to

    @classmethod
    def of(cls, request: Request) -> Visit:
        """The visit that a request is."""
        query = request.url.query
        path = f"{request.url.path}?{query}" if query else request.url.path
        return cls(language_of(request), path)

    @property
    def locale(self) -> str:
        return LOCALES[self.language]


ENGLISH = Visit()


@dataclass(frozen=True)
class Session:
    """Who is signed in, and what their page needs to bid."""

    name: str
    paddle: int | None  # None until they are registered for the sale
    token: str  # the consumer's access token, for the WebSocket's hello
    publishable_key: str


def render(
    template: str,
    visit: Visit,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page of ``templates/``, in the visitor's language.

    Beside *values* a template has ``visit`` and what speaks its language: ``t`` (a phrase),
    ``money`` (minor units, currency, exponent), ``money_range`` (two of them), ``moment`` (an
    instant, as ``<time>``, in a zone), ``iso`` (an instant for such an element),
    ``script`` (where a module of the page is served from), and ``embedded`` (a value as the
    JSON of a data block).
    """
    phrases = phrases_in(visit.language)
    html = _templates.get_template(template).render(
        visit=visit,
        languages=LANGUAGES,
        t=phrases.say,
        money=partial(format_money, language=visit.language),
        money_range=partial(format_range, language=visit.language),
        moment=partial(_moment, language=visit.language),
        iso=_iso,
        script=partial(scripts.url_of, STATIC),
        embedded=embedded,
        words_of=lambda areas: embedded(phrases.of(("common", *areas))),
        **values,
    )
    return HTMLResponse(html, status_code=status, headers={**_SECURITY_HEADERS, **(headers or {})})


def docs_page(reference: Reference, visit: Visit = ENGLISH) -> HTMLResponse:
    """The APIs, for people to read; in English only, as the APIs are."""
    return render("docs.html", visit, reference=reference)


def not_found_page(visit: Visit, words: str) -> HTMLResponse:
    """A page that says what is not here, by the phrase *words*.  Status 404."""
    return render("not_found.html", visit, status=404, words=words)


def not_now_page(visit: Visit) -> HTMLResponse:
    """A page that says that what it would show cannot be looked up.  Status 503."""
    return render("not_now.html", visit, status=503, headers={"retry-after": "2"})


def cannot_check_page(visit: Visit, status: int, headers: Mapping[str, str]) -> HTMLResponse:
    """A page that says that nothing could be checked, which is no good sign and no bad one."""
    return render("cannot_check.html", visit, status=status, headers=headers)


def embedded(state: object) -> Markup:
    """JSON that may stand inside a ``<script>`` element: no ``<`` can end it early."""
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


# ── what the pages are made of ────────────────────────────────────────────────────────────────

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _moment(at: int, zone: tzinfo = UTC, *, language: Language) -> Markup:
    """An instant as an element: its words in that zone, and the instant itself in UTC."""
    words = format_instant(at, language, zone)
    return Markup('<time datetime="{}">{}</time>').format(_iso(at), words)


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
