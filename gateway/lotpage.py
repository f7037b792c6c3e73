"""The page of one lot, as one viewer first sees it.

What is written here is complete and true without JavaScript: the lot, its price, its end, who
leads, and a form that bids the asking bid after a second look.  ``static/lot-room.js`` takes the
same places over from the state embedded in the page, in the same words and the same boxes, and
keeps them live.

It knows nothing of Redis, the engine or the database: everything it shows is handed to it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse, RedirectResponse, Response

from engine.core.messages import Kind, SaleTerms
from gateway.core.bill import bill
from gateway.core.instants import format_instant
from gateway.core.money import format_money, format_range
from gateway.languages import phrases_in
from gateway.pages import ENGLISH, Session, Visit, render

_OVER: Final = ("closed", "settling", "settled", "canceled")
_WAITS: Final = ("draft", "scheduled")
_RESERVES: Final = ("none", "met", "not_met")
_NO_TERMS: Final = SaleTerms()
_CHANNELS: Final = ("room", "phone", "online", "left")
# Why a bid was refused, as far as there are words for it.
_REASONS: Final = frozenset(
    (
        "not_open_yet",
        "paused",
        "closed",
        "canceled",
        "withdrawn",
        "below_asking_bid",
        "off_ladder",
        "not_a_raise",
        "already_bid",
        "not_registered",
        "pending_approval",
        "suspended",
        "over_limit",
        "insufficient_funds",
        "own_lot",
        "idempotency_mismatch",
        "buy_now_unavailable",
        "refused",
        "moved",
    )
)


@dataclass(frozen=True)
class Place:
    """A viewer's place in the sale: may they bid, and how far."""

    admission: str | None = None  # None: they have not asked yet
    registration: Literal["open", "approval"] = "open"
    limit: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Coming:
    """One of the lots that come after this one."""

    auction_id: str
    lot_number: str
    name: str
    photo: str | None
    estimate_low: int | None
    estimate_high: int | None


@dataclass(frozen=True)
class Row:
    """A price of before, for the list of bids."""

    price: int
    paddle: int | None
    channel: str
    at: int
    undone: bool = False


@dataclass(frozen=True)
class LotPage:
    """Everything one viewer's page of one lot shows.  Amounts are in minor units."""

    auction_id: str
    lot_number: str
    name: str
    description: str
    sale_id: str
    sale_name: str
    estimate_low: int | None
    estimate_high: int | None
    photos: tuple[str, ...]  # file names under /static/lots/
    provenance: tuple[str, ...]
    snapshot: Mapping[str, Any]  # the wire's `snapshot` frame for this viewer, `you` included
    session: Session | None  # None: a spectator
    publishable_key: str
    now: int  # the log's clock, milliseconds since the epoch
    place: Place = Place()
    terms: SaleTerms = _NO_TERMS
    steps: tuple[tuple[int, int], ...] = ()  # (from, step): what must be added to a price
    extension_window_ms: int = 0
    extension_ms: int = 0
    buy_now: int | None = None
    zone: str = "UTC"  # that the house tells its times in
    serial: str | None = None  # of the object's record
    history: tuple[Row, ...] = ()  # newest first
    coming: tuple[Coming, ...] = ()
    watching: bool | None = None  # None: nobody is signed in


@dataclass(frozen=True)
class Asked:
    """A bid that was sent with a form."""

    cmd_id: str
    amount: int
    kind: Kind


@dataclass(frozen=True)
class Said:
    """What became of it."""

    what: Literal["lead", "accepted", "waiting", "refused", "undecided", "too-fast", "unreadable"]
    code: str | None = None
    would_pass: int | None = None


def lot_page(page: LotPage, visit: Visit = ENGLISH) -> HTMLResponse:
    """The page of one lot, for one viewer."""
    first = _First(page, visit)
    return render(
        "lot.html",
        visit,
        page=page,
        estimate=first.range_of(page.estimate_low, page.estimate_high),
        first=first.sight(),
        rows=first.rows(),
        coming=[(lot, first.range_of(lot.estimate_low, lot.estimate_high)) for lot in page.coming],
        printed=first.printed_terms(),
        state=_state(page, first),
    )


def confirm_page(page: LotPage, asked: Asked, visit: Visit = ENGLISH) -> HTMLResponse:
    """The amount once more, with what it comes to: nothing has been bid."""
    first = _First(page, visit)
    return render("lot_bid.html", visit, page=page, asked=asked, **first.confirming(asked))


def answer_page(
    page: LotPage, said: Said, visit: Visit = ENGLISH, asked: Asked | None = None
) -> HTMLResponse:
    """What became of a bid, in words."""
    first = _First(page, visit)
    again = asked if said.what in ("undecided", "too-fast") else None
    return render("lot_bid.html", visit, page=page, asked=again, **first.answering(said, asked))


def to_sign_in(page: LotPage) -> Response:
    """Nobody is signed in, or nobody any more: nothing was bid."""
    return RedirectResponse(_sign_in(page), 303)


def _sign_in(page: LotPage) -> str:
    return f"/sign-in?next=/lot/{page.auction_id}"


def _state(page: LotPage, first: _First) -> dict[str, Any]:
    """What the page's own scripts start from."""
    session, auction = page.session, page.snapshot["auction"]
    return {
        "snapshot": page.snapshot,
        "now": page.now,
        "key": session.publishable_key if session else page.publishable_key,
        "token": session.token if session else None,
        "paddle": session.paddle if session else None,
        "estimate": [page.estimate_low, page.estimate_high],
        "history": [
            {
                "price": row.price,
                "paddle": row.paddle,
                "channel": row.channel,
                "at": row.at,
                "undone": row.undone,
            }
            for row in page.history
        ],
        "steps": page.steps,
        "jumps": auction["format"] in ("english", "live"),
        "terms": {"premium": page.terms.buyers_premium, "tax": page.terms.tax_percent},
        "fingers": page.terms.fingers,
        "zone": page.zone,
        "extends": first.extends,
        "serial": page.serial,
        "watching": page.watching,
        "me": first.ways(),
        "buyNow": first.buy_now(),
    }


class _First:
    """The words of the page before it comes alive, and for good where there is no JavaScript.

    The keys are those of ``static/words.js``, and so is the order in which a state is looked for.
    """

    def __init__(self, page: LotPage, visit: Visit) -> None:
        self.page = page
        self.language = visit.language
        self.t = phrases_in(visit.language).say
        self.auction: Mapping[str, Any] = page.snapshot["auction"]
        self.you: Mapping[str, Any] = page.snapshot["you"] or {"status": "NOT_BID", "max": None}
        self.is_over = self.auction["status"] in _OVER
        self.waits = self.auction["status"] in _WAITS
        self.leads = not self.is_over and self.you["status"] == "WINNING"
        self.won = self.you["status"] == "WON"

    def sight(self) -> dict[str, Any]:
        """Everything of the bidding that is seen first."""
        return {
            "banner": self.banner(),
            "button": self.button(),
            "cost": self.cost(),
            "form": {"cmd_id": str(uuid.uuid4()), "seen": self.page.snapshot["seq"]},
            "reserve": self.reserve(),
            "counts": self.counts(),
            "extends": "" if self.is_over else self.extends or self._told_fingers(),
            "when": self.when(),
            "as_of": self.time(self.page.now),
            "clock_label": self.clock_label(),
            "call": self.call(),
            **self.price(),
        }

    def cash(self, minor: int) -> str:
        return format_money(
            minor, self.auction["currency"], self.auction["exponent"], self.language
        )

    def range_of(self, low: int | None, high: int | None) -> str:
        if low is None or high is None:
            return ""
        money = self.auction["currency"], self.auction["exponent"]
        return format_range(low, high, *money, self.language)

    def time(self, at: int) -> str:
        return format_instant(at, self.language, ZoneInfo(self.page.zone))

    # ── The bidding ──────────────────────────────────────────────────────────────────────

    def banner(self) -> dict[str, str]:
        """The state of the lot and of its viewer, with its icon."""
        found = self.ended() or self.stopped() or self.called() or self.stood() or self.barred()
        kind, icon, head, text = found or self.quiet()
        return {"kind": kind, "icon": icon, "head": head, "text": text}

    def ended(self) -> tuple[str, str, str, str] | None:
        if not self.is_over:
            return None
        outcome, price, paddle = (self.auction[name] for name in ("outcome", "price", "paddle"))
        t = self.t
        if outcome == "withdrawn":
            return "plain", "gavel", t("lot.withdrawn.head"), t("lot.canceled.text")
        if self.auction["status"] == "canceled":
            return "plain", "gavel", t("lot.canceled.head"), t("lot.canceled.text")
        if outcome == "passed":
            return "plain", "gavel", t("lot.passed.head"), t("lot.passed.text")
        text = "" if price is None else t("lot.sold.text", amount=self.cash(price))
        if self.won:
            return "lead", "gavel", t("lot.sold.you"), text
        if outcome == "sold_subject":
            return "plain", "gavel", t("lot.subject.other"), text
        if outcome == "sold" and paddle is not None:
            return "plain", "gavel", t("lot.sold.paddle", paddle=paddle), text
        return "plain", "gavel", t("lot.sold.other" if outcome else "lot.closed.head"), text

    def stopped(self) -> tuple[str, str, str, str] | None:
        t = self.t
        if self.auction["status"] == "paused":
            return "warn", "wait", t("lot.paused.head"), t("lot.paused.text")
        if not self.waits:
            return None
        if self.you["max"]:
            left = t("lot.left.head", amount=self.cash(self.you["max"]))
            return "lead", "ok", left, t("lot.left.text")
        leave = "lot.not-open.leave" if self.auction["format"] == "live" else "lot.not-open.text"
        return "plain", "wait", t("lot.not-open.head"), t(leave)

    def called(self) -> tuple[str, str, str, str] | None:
        phase, paddle = self.auction["phase"], self.auction["paddle"]
        if phase is None:
            return None
        head = self.t("lot.final.head" if phase == "final_call" else "lot.warning.head")
        if self.leads:
            return "lead", "gavel", head, self.t("lot.warning.you")
        if paddle is None:
            return "warn", "gavel", head, self.t("lot.warning.text")
        return "warn", "gavel", head, self.t("lot.warning.paddle", paddle=paddle)

    def stood(self) -> tuple[str, str, str, str] | None:
        status, t = self.you["status"], self.t
        if self.leads:
            text = t("lot.lead.text", amount=self.cash(self.auction["price"]))
            if self.you["max"] and self.you["max"] > self.auction["price"]:
                text = t("lot.lead.max", amount=self.cash(self.you["max"]))
            return "lead", "ok", t("lot.lead.head"), text
        if status == "ACTIVE":
            return "out", "up", t("lot.accepted.head"), self.leader()
        return ("out", "up", t("lot.outbid.head"), self.leader()) if status == "OUTBID" else None

    def barred(self) -> tuple[str, str, str, str] | None:
        t = self.t
        why = self.standing()
        if why == "may":
            return None
        if why == "declined":
            reason = self.page.place.reason or t("lot.declined.text")
            return "warn", "warn", t("lot.declined.head"), reason
        if why == "limit":
            limit = self.page.place.limit
            assert limit is not None
            return (
                "warn",
                "warn",
                t("lot.limit.head"),
                t("lot.limit.amount", amount=self.cash(limit)),
            )
        kind = "warn" if why == "suspended" else "info"
        icon = "wait" if why == "pending" else "warn"
        return kind, icon, t(f"lot.{why}.head"), t(f"lot.{why}.text")

    def quiet(self) -> tuple[str, str, str, str]:
        asking, opening = self.auction["askingBid"], self.auction["opening"]
        t = self.t
        if self.auction["price"] is None:
            first = self.cash(opening if asking is None else asking)
            return "plain", "gavel", t("lot.no-bids.head"), t("lot.no-bids.text", amount=first)
        text = "" if asking is None else t("lot.asking", amount=self.cash(asking))
        return "plain", "gavel", self.leader(), text

    def leader(self) -> str:
        paddle, channel = self.auction["paddle"], self.auction["channel"]
        if paddle is None:
            other = f"a-{channel}" if channel in ("room", "phone") else "another"
            return self.t(f"lot.leads.{other}")
        key = f"lot.leads.{channel}" if channel in _CHANNELS else "lot.leads"
        return self.t(key, paddle=paddle)

    def standing(self) -> str:
        """Whether and why the viewer may not bid, as far as is known."""
        place, asking = self.page.place, self.auction["askingBid"]
        if self.page.session is None:
            return "watching"
        if place.admission in ("pending", "declined", "suspended"):
            return place.admission
        if place.admission is None and place.registration == "approval":
            return "unregistered"
        over = place.limit is not None and asking is not None and asking > place.limit
        return "limit" if over and not self.leads else "may"

    def button(self) -> dict[str, Any]:
        """A form's button that bids, a way on, or a word."""
        asking, t = self.auction["askingBid"], self.t
        if self.is_over:
            return self.way_on()
        match self.standing():
            case "watching":
                return {"label": t("lot.go.sign-in"), "href": self.sign_in}
            case "unregistered":
                return {"label": t("lot.go.register"), "href": self.register}
            case "limit":
                return {"label": t("lot.go.limit"), "href": self.register}
            case "pending":
                return {"label": t("lot.go.pending")}
            case "declined" | "suspended":
                return {"label": t("lot.go.watch-only")}
        if self.waits:
            return {"label": t("lot.go.not-open")}
        if self.auction["status"] == "paused":
            return {"label": t("lot.go.paused")}
        if self.leads:
            return {"label": t("lot.go.lead", amount=self.cash(self.auction["price"]))}
        if asking is None:
            return {"label": t("lot.go.nothing")}
        return {"label": t("lot.go.bid"), "amount": asking, "text": self.cash(asking)}

    def way_on(self) -> dict[str, Any]:
        if self.won:
            return {"label": self.t("lot.go.invoice"), "href": "/me"}
        if self.page.coming:
            following = self.page.coming[0]
            label = self.t("lot.go.next", number=following.lot_number)
            return {"label": label, "href": f"/lot/{following.auction_id}"}
        return {"label": self.t("lot.go.sale"), "href": self.sale}

    def cost(self) -> str:
        """What the amount on the button comes to."""
        auction = self.auction
        amount = auction["price"] if self.leads or self.is_over else auction["askingBid"]
        if amount is None or (self.is_over and auction["outcome"] != "sold"):
            return ""
        return self.all_in(int(amount))

    def all_in(self, amount: int) -> str:
        """The price with everything on it, as the invoice would have it."""
        if not self.page.terms.buyers_premium:
            return self.t("lot.binding")
        taxed = self.page.terms.tax_percent.strip("0.") != ""
        total = self.cash(bill(amount, self.page.terms).total)
        return self.t("lot.allin" if taxed else "lot.allin.premium", amount=total)

    def price(self) -> dict[str, str]:
        price, outcome = self.auction["price"], self.auction["outcome"]
        if price is None:
            asking = self.auction["askingBid"]
            first = self.auction["opening"] if asking is None else asking
            return {"price_label": self.t("lot.price.opening"), "price": self.cash(first)}
        label = "lot.price.yours" if self.leads else "lot.price.current"
        if self.is_over:
            sold = outcome in ("sold", "sold_subject")
            label = "lot.price.hammer" if sold else "lot.price.last"
        return {"price_label": self.t(label), "price": self.cash(price)}

    def clock_label(self) -> str:
        if self.is_over:
            return "" if self.auction["format"] == "live" else self.t("lot.clock.closed")
        if self.waits:
            return self.t("lot.clock.opens")
        return self.t("lot.clock.closes") if self.auction["closesAt"] is not None else ""

    def call(self) -> str | None:
        """Where the auctioneer has the lot, in place of a clock; None where there is a clock."""
        status, closes_at = self.auction["status"], self.auction["closesAt"]
        runs_to = self.auction["opensAt"] if self.waits else closes_at
        if self.auction["format"] != "live" or (runs_to is not None and not self.is_over):
            return None
        if self.is_over:
            return ""
        if self.waits:
            return self.t("lot.call.soon")
        return self.t("lot.call.paused" if status == "paused" else "lot.call.bidding")

    def when(self) -> dict[str, Any] | None:
        at = self.auction["opensAt"] if self.waits else self.auction["closesAt"]
        if at is None:
            return None
        key = "lot.opens" if self.waits else "lot.closed-at" if self.is_over else "lot.closes"
        return {"at": at, "text": self.t(key, time=self.time(at))}

    def reserve(self) -> str:
        shown = self.auction["reserve"]
        return self.t(f"lot.reserve.{shown}") if shown in _RESERVES else ""

    def counts(self) -> str:
        bids, bidders = self.auction["bidCount"], self.auction["bidderCount"]
        if bids == 0:
            return self.t("lot.counts.none")
        return self.t(
            "lot.counts", bids=self.t("lot.bids", n=bids), bidders=self.t("lot.bidders", n=bidders)
        )

    def rows(self) -> list[dict[str, Any]]:
        """The list of bids, newest first."""
        if self.page.history:
            return [self._row(row) for row in self.page.history]
        price, paddle, channel = (self.auction[name] for name in ("price", "paddle", "channel"))
        if price is None:
            return []
        who = self._who(paddle, channel)
        earlier = self.t("lot.history.earlier")
        return [{"amount": self.cash(price), "who": who, "time": earlier, "undone": False}]

    def _row(self, row: Row) -> dict[str, Any]:
        at = datetime.fromtimestamp(row.at / 1000, ZoneInfo(self.page.zone))
        return {
            "amount": self.cash(row.price),
            "who": self._who(row.paddle, row.channel),
            "time": f"{at:%H:%M:%S}",
            "undone": row.undone,
        }

    def _who(self, paddle: int | None, channel: str) -> str:
        where = self.t(f"lot.channel.{channel}") if channel in _CHANNELS else ""
        session = self.page.session
        if paddle is not None and session is not None and paddle == session.paddle:
            return f"{self.t('lot.you')} {where}"
        return where if paddle is None else f"{paddle} {where}".strip()

    # ── A bid with a form ────────────────────────────────────────────────────────────────

    def confirming(self, asked: Asked) -> dict[str, Any]:
        """The words of the second look."""
        amount, t = self.cash(asked.amount), self.t
        key = {"bid": "head", "max": "max"}.get(asked.kind, "buy-now")
        return {
            "kind": "info",
            "head": t(f"lot.form.confirm.{key}", amount=amount),
            "text": t("lot.form.confirm.text"),
            "cost": self.all_in(asked.amount),
            "go": t("lot.form.confirm.go", amount=amount),
            "back": t("lot.form.return"),
        }

    def answering(self, said: Said, asked: Asked | None) -> dict[str, Any]:
        """The words of what became of a bid."""
        t = self.t
        kinds = {"lead": "lead", "accepted": "out", "waiting": "info", "refused": "out"}
        head = t("lot.form.unreadable")
        if asked is not None and said.what != "too-fast":
            head = t(f"lot.form.{said.what}", amount=self.cash(asked.amount))
        elif asked is not None:
            head = t("lot.form.refused", amount=self.cash(asked.amount))
        return {
            "kind": kinds.get(said.what, "warn"),
            "head": head,
            "text": self._answer(said),
            "cost": "",
            "go": t("lot.form.again"),
            "back": t("lot.form.lot"),
        }

    def _answer(self, said: Said) -> str:
        t = self.t
        if said.what == "undecided":
            return t("lot.form.undecided.text")
        if said.what == "too-fast":
            return f"{t('lot.error.rate_limited')} {t('lot.again')}"
        if said.what != "refused":
            return self.leader() if said.what == "accepted" else ""
        known = said.code in _REASONS
        why = t(f"lot.reason.{said.code}" if known else "lot.reason.unknown")
        if said.would_pass is None:
            return why
        return f"{why} {t('lot.reason.least', amount=self.cash(said.would_pass))}"

    # ── Ways and terms ───────────────────────────────────────────────────────────────────

    @property
    def sale(self) -> str:
        return f"/sale/{self.page.sale_id}"

    @property
    def register(self) -> str:
        return f"{self.sale}/register?next=/lot/{self.page.auction_id}"

    @property
    def sign_in(self) -> str:
        return _sign_in(self.page)

    def ways(self) -> dict[str, Any]:
        """The viewer's place in the sale, and where their ways lead."""
        place, coming = self.page.place, self.page.coming
        following = None
        if coming:
            url = f"/lot/{coming[0].auction_id}"
            following = {"url": url, "number": coming[0].lot_number}
        return {
            "admission": place.admission,
            "registration": place.registration,
            "limit": place.limit,
            "reason": place.reason,
            "register": self.register,
            "signIn": self.sign_in,
            "mine": "/me",
            "sale": self.sale,
            "next": following,
        }

    def buy_now(self) -> dict[str, Any] | None:
        price = self.page.buy_now
        if price is None or self.page.session is None:
            return None
        return {
            "url": f"/lot/{self.page.auction_id}/bid",
            "label": self.t("lot.buy-now", amount=self.cash(price)),
            "fields": {"cmdId": str(uuid.uuid4()), "amount": price, "kind": "buy_now"},
        }

    @property
    def extends(self) -> str:
        """The rule of the soft close; empty where the close is hard."""
        window, extension = self.page.extension_window_ms, self.page.extension_ms
        if window == 0 or extension == 0 or self.auction["closesAt"] is None:
            return ""
        return self.t("lot.extends", window=self.span(window), time=self.span(extension))

    def span(self, ms: int) -> str:
        seconds = ms // 1000
        if seconds >= 120 and seconds % 60 == 0:
            return self.t("lot.extends.minutes", count=seconds // 60)
        return self.t("lot.extends.seconds", count=seconds)

    def printed_terms(self) -> list[tuple[str, list[str]]]:
        """The terms of the sale that concern a bid on this lot: name, lines."""
        t = self.t
        closing = t("lot.terms.hard") if self.auction["closesAt"] is not None else ""
        closing = self.extends or (t("lot.terms.live") if self._is_live else closing)
        printed = [
            (t("lot.terms.premium"), self._premium()),
            (t("lot.terms.tax"), self._tax()),
            (t("lot.terms.steps"), self._steps()),
            (t("lot.terms.closing"), [closing] if closing else []),
            (t("lot.terms.fingers"), [t("lot.fingers")] if self._tells_fingers else []),
        ]
        return [(name, lines) for name, lines in printed if lines]

    @property
    def _is_live(self) -> bool:
        return bool(self.auction["format"] == "live")

    @property
    def _tells_fingers(self) -> bool:
        return self._is_live and self.page.terms.fingers

    def _told_fingers(self) -> str:
        return self.t("lot.fingers") if self._tells_fingers else ""

    def _premium(self) -> list[str]:
        tiers = self.page.terms.buyers_premium
        if not tiers:
            return [self.t("lot.terms.premium-none")]
        return [
            self.t("lot.terms.premium-from", percent=percent, amount=self.cash(start))
            if start
            else self.t("lot.terms.percent", percent=percent)
            for start, percent in tiers
        ]

    def _tax(self) -> list[str]:
        percent = self.page.terms.tax_percent
        return [] if percent.strip("0.") == "" else [self.t("lot.terms.percent", percent=percent)]

    def _steps(self) -> list[str]:
        return [
            self.t("lot.terms.step", amount=self.cash(step), **{"from": self.cash(start)})
            for start, step in self.page.steps
        ]
