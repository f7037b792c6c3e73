"""The pages that people see, as HTML.

What is rendered here is complete and true without JavaScript: the lot, its price and its end as
of the moment of writing, and no control that would pretend to work.  The page's own modules
(``static/lot.js`` and what it imports) take over from the state embedded in the page and keep it
live over the WebSocket.

This module promises one strict set of security headers on every page, escaped text everywhere,
every word in the reader's language (``core.phrases``), and amounts written exactly as the
browser will write them (``core.money``), so that nothing flickers when the page comes alive.
A page of another module is rendered by ``render`` too, and promises the same.  It knows nothing of Redis, the engine or the database: everything it shows is
handed to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

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
_RESERVE = {"none": "No reserve", "met": "Reserve met", "not_met": "Reserve not met"}


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


@dataclass(frozen=True)
class LotPage:
    """Everything one viewer's page of one lot shows.  Amounts are in minor units."""

    auction_id: str
    lot_number: str
    name: str
    description: str
    sale_name: str
    estimate_low: int | None
    estimate_high: int | None
    photos: tuple[str, ...]  # file names under /static/lots/
    provenance: tuple[str, ...]
    snapshot: Mapping[str, Any]  # the wire's `snapshot` frame for this viewer, `you` included
    session: Session | None  # None: a spectator
    publishable_key: str
    now: int  # the log's clock, milliseconds since the epoch


@dataclass(frozen=True)
class LotCard:
    """One lot in the catalogue.  Amounts are in minor units."""

    auction_id: str
    lot_number: str
    name: str
    photo: str | None
    estimate: tuple[int, int] | None
    price: int | None  # None: no bid yet
    status: str
    closes_at: int | None
    currency: str = "EUR"
    exponent: int = 2


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
    ``money`` (minor units, currency, exponent), ``moment`` (an instant, as ``<time>``), and
    ``embedded`` (a value as the JSON of a data block).
    """
    phrases = phrases_in(visit.language)
    html = _templates.get_template(template).render(
        visit=visit,
        languages=LANGUAGES,
        t=phrases.say,
        money=partial(format_money, language=visit.language),
        moment=partial(_moment, language=visit.language),
        embedded=embedded,
        words_of=lambda areas: embedded(phrases.of(("common", *areas))),
        **values,
    )
    return HTMLResponse(html, status_code=status, headers={**_SECURITY_HEADERS, **(headers or {})})


def lot_page(page: LotPage, visit: Visit = ENGLISH) -> HTMLResponse:
    """The page of one lot, for one viewer."""
    auction = page.snapshot["auction"]
    estimate = _estimate(page.estimate_low, page.estimate_high, auction)
    return render(
        "lot.html",
        visit,
        page=page,
        estimate=estimate,
        first=_first_sight(auction, page.now),
        state=embedded(_state(page)),
    )


def catalogue_page(
    sales: Sequence[tuple[str, Sequence[LotCard]]], visit: Visit = ENGLISH
) -> HTMLResponse:
    """The list of sales with their lots, each with its price as of now."""
    return render(
        "catalogue.html",
        visit,
        sales=[(name, [_card_words(card, visit) for card in cards]) for name, cards in sales],
    )


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


def _state(page: LotPage) -> dict[str, Any]:
    session = page.session
    return {
        "snapshot": page.snapshot,
        "now": page.now,
        "key": session.publishable_key if session else page.publishable_key,
        "token": session.token if session else None,
        "paddle": session.paddle if session else None,
        "estimate": [page.estimate_low, page.estimate_high],
    }


def _estimate(
    low: int | None, high: int | None, money: Mapping[str, Any], visit: Visit = ENGLISH
) -> str:
    if low is None or high is None:
        return ""
    return format_range(low, high, money["currency"], money["exponent"], visit.language)


def _first_sight(auction: Mapping[str, Any], now: int) -> dict[str, str]:
    """The words of the page before it comes alive, and for good where there is no JavaScript."""
    ends_at = auction["opensAt"] if auction["status"] in ("draft", "scheduled") else None
    ends_at = ends_at or auction["closesAt"]
    over = auction["status"] in _OVER
    return {
        "head": _ending(auction) if over else "Connecting to the saleroom",
        "text": "" if over else "You can bid when it answers.",
        "button": _ending(auction) if over else "Waiting for the saleroom",
        "clock_label": "Closed" if over else "",
        "as_of": format_instant(now),
        "ends": f"{_ends_word(auction)} {format_instant(ends_at)}" if ends_at else "",
        "ends_iso": _iso(ends_at) if ends_at else "",
        "reserve": _RESERVE.get(auction["reserve"], ""),
        "counts": _counts(auction),
        "leader": _leader(auction),
        **_price_words(auction, over),
    }


def _price_words(auction: Mapping[str, Any], over: bool) -> dict[str, str]:
    price, currency, exponent = auction["price"], auction["currency"], auction["exponent"]
    if price is None:
        first = auction["askingBid"] or auction["opening"]
        return {"price_label": "Opening bid", "price": format_money(first, currency, exponent)}
    sold = auction["outcome"] in ("sold", "sold_subject")
    label = "Hammer price" if sold else "Last bid" if over else "Current bid"
    return {"price_label": label, "price": format_money(price, currency, exponent)}


def _ending(auction: Mapping[str, Any]) -> str:
    """How a lot ended, in the words of its button."""
    if auction["status"] == "canceled":
        return "Canceled"
    if auction["outcome"] in ("sold", "sold_subject") and auction["price"] is not None:
        price = format_money(auction["price"], auction["currency"], auction["exponent"])
        return f"Sold for {price}"
    return {"passed": "Passed", "withdrawn": "Withdrawn"}.get(auction["outcome"] or "", "Closed")


def _ends_word(auction: Mapping[str, Any]) -> str:
    if auction["status"] in ("draft", "scheduled"):
        return "Opens"
    return "Closed" if auction["status"] in _OVER else "Closes"


def _counts(auction: Mapping[str, Any]) -> str:
    bids, bidders = auction["bidCount"], auction["bidderCount"]
    if not bids:
        return "No bids yet"
    return (
        f"{bids} bid{'' if bids == 1 else 's'} from {bidders} bidder{'' if bidders == 1 else 's'}"
    )


def _leader(auction: Mapping[str, Any]) -> str:
    if auction["price"] is None or auction["paddle"] is None:
        return ""
    return f"{auction['paddle']} {auction['channel'] or ''}".strip()


def _card_words(card: LotCard, visit: Visit) -> dict[str, Any]:
    money = {"currency": card.currency, "exponent": card.exponent}
    low, high = card.estimate or (None, None)
    return {
        "auction_id": card.auction_id,
        "lot_number": card.lot_number,
        "name": card.name,
        "photo": card.photo,
        "estimate": _estimate(low, high, money, visit),
        "price": _card_price(card, visit),
        "state": _card_state(card, visit),
    }


def _card_price(card: LotCard, visit: Visit) -> str:
    if card.price is None:
        return ""
    return format_money(card.price, card.currency, card.exponent, visit.language)


def _card_state(card: LotCard, visit: Visit) -> str:
    t = phrases_in(visit.language).say
    if card.status in ("draft", "scheduled"):
        return t("catalogue.not-open")
    if card.status in _OVER:
        return t("catalogue.canceled") if card.status == "canceled" else t("catalogue.closed")
    bids = [t("catalogue.no-bids")] if card.price is None else []
    return " ".join([*bids, _card_end(card, visit)])


def _card_end(card: LotCard, visit: Visit) -> str:
    t = phrases_in(visit.language).say
    if card.status == "paused":
        return t("catalogue.paused")
    if card.closes_at is None:
        return t("catalogue.open")
    return t("catalogue.closes", instant=format_instant(card.closes_at, visit.language))


def _moment(at: int, language: Language) -> Markup:
    """An instant as an element: its words, and the instant itself in UTC."""
    return Markup('<time datetime="{}">{}</time>').format(_iso(at), format_instant(at, language))


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
