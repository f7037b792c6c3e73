"""The pages that people see, as HTML.

What is rendered here is complete and true without JavaScript: the lot, its price and its end as
of the moment of writing, and no control that would pretend to work.  The page's own modules
(``static/lot.js`` and what it imports) take over from the state embedded in the page and keep it
live over the WebSocket.

This module promises one strict set of security headers on every page, escaped text everywhere,
and amounts written exactly as the browser will write them, so that nothing flickers when the
page comes alive.  It knows nothing of Redis, the engine or the database: everything it shows is
handed to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from gateway.core.reference import Reference

STATIC = Path(__file__).parent / "static"  # served under /static/

_SECURITY_HEADERS = {
    # Only what the pages use.  Inline scripts, inline styles and other hosts are all refused;
    # the state of a page is a data block, which no policy counts as a script.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    # A lot page holds its viewer's own standing and token: nobody else may be given it.
    "cache-control": "no-store",
}

# How en-GB writes the currencies it does not write by their code; the browser's Intl agrees.
_MARKS = {"EUR": "€", "GBP": "£", "USD": "US$", "JPY": "JP¥", "INR": "₹", "CNY": "CN¥"}

_OVER = {"closed", "settling", "settled", "canceled"}
_RESERVE = {"none": "No reserve", "met": "Reserve met", "not_met": "Reserve not met"}


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


def lot_page(page: LotPage) -> HTMLResponse:
    """The page of one lot, for one viewer."""
    auction = page.snapshot["auction"]
    estimate = _estimate(page.estimate_low, page.estimate_high, auction)
    return _render(
        "lot.html",
        page=page,
        estimate=estimate,
        first=_first_sight(auction, page.now),
        state=_embedded(_state(page)),
    )


def catalogue_page(sales: Sequence[tuple[str, Sequence[LotCard]]]) -> HTMLResponse:
    """The list of sales with their lots, each with its price as of now."""
    return _render(
        "catalogue.html",
        sales=[(name, [_card_words(card) for card in cards]) for name, cards in sales],
    )


def docs_page(reference: Reference) -> HTMLResponse:
    """The APIs, for people to read."""
    return _render("docs.html", reference=reference)


def not_found_page(text: str) -> HTMLResponse:
    """A page that says in ``text`` what is not here.  Status 404."""
    return _render("not_found.html", status=404, text=text)


def cannot_check_page(status: int, headers: Mapping[str, str]) -> HTMLResponse:
    """A page that says that nothing could be checked, which is no good sign and no bad one."""
    page = _render("cannot_check.html", status=status)
    page.headers.update(headers)
    return page


def format_money(minor: int, currency: str, exponent: int) -> str:
    """The amount as en-GB writes it: cents only where there are any, and then all of them."""
    units, cents = divmod(minor, 10**exponent)
    fraction = f".{cents:0{exponent}d}" if cents else ""
    mark = _MARKS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{mark}{units:,}{fraction}"


# ── what the pages are made of ────────────────────────────────────────────────────────────────

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _render(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    html = _templates.get_template(template).render(**values)
    return HTMLResponse(html, status_code=status, headers=_SECURITY_HEADERS)


def _embedded(state: Mapping[str, Any]) -> Markup:
    """JSON that may stand inside a ``<script>`` element: no ``<`` can end it early."""
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


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


def _estimate(low: int | None, high: int | None, auction: Mapping[str, Any]) -> str:
    if low is None or high is None:
        return ""
    currency, exponent = auction["currency"], auction["exponent"]
    upper = format_money(high, currency, exponent).removeprefix(_MARKS.get(currency, currency))
    return f"{format_money(low, currency, exponent)}–{upper.strip()}"


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
        "as_of": _instant(now),
        "ends": f"{_ends_word(auction)} {_instant(ends_at)}" if ends_at else "",
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


def _card_words(card: LotCard) -> dict[str, Any]:
    money = {"currency": card.currency, "exponent": card.exponent}
    low, high = card.estimate or (None, None)
    return {
        "auction_id": card.auction_id,
        "lot_number": card.lot_number,
        "name": card.name,
        "photo": card.photo,
        "estimate": _estimate(low, high, money),
        "price": _card_price(card),
        "state": _card_state(card),
    }


def _card_price(card: LotCard) -> str:
    if card.price is None:
        return ""
    return format_money(card.price, card.currency, card.exponent)


def _card_state(card: LotCard) -> str:
    if card.status in ("draft", "scheduled"):
        return "Not open yet"
    if card.status in _OVER:
        return "Canceled" if card.status == "canceled" else "Closed"
    bids = "No bids yet. " if card.price is None else ""
    if card.status == "paused":
        return f"{bids}Paused"
    return f"{bids}Closes {_instant(card.closes_at)}" if card.closes_at else f"{bids}Open"


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%-d %b %Y, %H:%M UTC")


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
