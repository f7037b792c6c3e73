"""Who wants to bid in a sale, and whom the house lets in: the queue, oldest first.

A decision can be taken back for ten seconds: the bidder's place is put back as it was before,
by a command like any other, unless somebody has decided again in between.  Who has come since
the page was written is counted, and shown only when asked for: no row moves under a pointer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

import msgspec
from starlette.responses import JSONResponse, Response

from engine.core.messages import Admission
from gateway.admin.asking import Clerk, problem_text
from gateway.api import sales as sales_api
from gateway.books import addresses, dues, limit_wishes
from gateway.books.dues import Record
from gateway.books.limit_wishes import LimitWish
from gateway.books.people import Person
from gateway.core import bodies
from gateway.core.problems import Problem
from gateway.core.view import RegistrationView, SaleView
from gateway.core.wire.house import Decision
from gateway.core.wording import plainly
from gateway.keys import BadToken, read_signed, sign

Status = Literal["approved", "declined", "suspended"]
UNDO_S: Final = 10
_GRACE_S: Final = 3  # for the way there
_UNDO: Final = "undo+jwt"
_OTHERS_SHOWN: Final = 200
_ADMISSIONS: Final[tuple[Admission, ...]] = ("approved", "pending", "declined", "suspended", "left")
_DID: Final[Mapping[str, str]] = {
    "approved": "admin.did.approved",
    "declined": "admin.did.declined",
    "suspended": "admin.did.suspended",
}
_NOBODY: Final = Record(0, 0, 0)


class Applicant(NamedTuple):
    """One bidder's place, with who they are and what they have bought before."""

    consumer_id: str
    seat: RegistrationView
    name: str
    email: str
    phone: str
    is_guest: bool
    record: Record
    won: int  # in this sale, minor units
    wish: int | None  # the limit that they ask for, minor units


async def queue(clerk: Clerk, sale_id: str) -> Response:
    """Who waits, oldest first; below them everybody else, by paddle."""
    return await _queue(clerk, clerk.sale(sale_id))


async def _queue(
    clerk: Clerk, sale: SaleView, wrong: str = "", of: str = "", status: int = 200
) -> Response:
    sought = clerk.request.query_params.get("status", "")
    wishes = await _open_wishes(clerk, sale)
    waiting = in_order(sale, wishes)
    others = [
        who
        for who, seat in sorted(sale.registrations.items(), key=lambda item: item[1].paddle)
        if who not in waiting and sought in ("", seat.admission)
    ]
    shown = others[:_OTHERS_SHOWN]
    known = await _applicants(clerk, sale, [*waiting, *shown], wishes)
    return clerk.page(
        "registrations.html",
        status=status,
        tab="registrations",
        here=f"/admin/sale/{sale.created.sale_id}/registrations",  # also where a form was sent
        sale=sale.created,
        pending=len(waiting),
        waiting=[known[who] for who in waiting],
        others=[known[who] for who in shown],
        others_count=len(others),
        sought=sought,
        admissions=[one for one in _ADMISSIONS if one != "pending"],
        newest=max(
            (*(seat.at for seat in sale.registrations.values()), *_asked(wishes)), default=0
        ),
        plainly=lambda units: plainly(units, sale.created.exponent),
        wrong=wrong,
        wrong_of=of,
        filled=clerk.form.all(),
    )


async def _open_wishes(clerk: Clerk, sale: SaleView) -> dict[str, LimitWish]:
    """By consumer: the limit that somebody asks for and has no answer to yet."""
    found = await clerk.ask().books(limit_wishes.wishes_of_sale, sale.created.sale_id)
    seats = sale.registrations
    return {
        who: wish for who, wish in found.items() if who in seats and wish.is_open(seats[who].at)
    }


def _asked(wishes: Mapping[str, LimitWish]) -> Iterator[int]:
    return (wish.asked_at for wish in wishes.values())


def in_order(sale: SaleView, wishes: Mapping[str, LimitWish]) -> list[str]:
    """Who waits to be let in, or for a higher limit: the oldest first."""
    waiting = {
        who: seat.at for who, seat in sale.registrations.items() if seat.admission == "pending"
    }
    asking = {
        who: wish.asked_at
        for who, wish in wishes.items()
        if sale.registrations[who].admission == "approved"
    }
    return [who for who, _ in sorted({**waiting, **asking}.items(), key=lambda item: item[::-1])]


async def _applicants(
    clerk: Clerk,
    sale: SaleView,
    consumer_ids: Sequence[str],
    wishes: Mapping[str, LimitWish] = MappingProxyType({}),
) -> dict[str, Applicant]:
    ask = clerk.ask()
    persons = await ask.books(addresses.persons, ask.gateway.vault, consumer_ids)
    records = await ask.books(dues.records_of, clerk.key.mode, consumer_ids, ask.now)
    return {
        who: _applicant(
            clerk, sale, who, persons.get(who), records.get(who, _NOBODY), wishes.get(who)
        )
        for who in consumer_ids
    }


def _applicant(
    clerk: Clerk,
    sale: SaleView,
    who: str,
    person: Person | None,
    record: Record,
    wish: LimitWish | None,
) -> Applicant:
    profile = None if person is None else person.profile
    names = () if profile is None else (profile.first_name, profile.last_name)
    return Applicant(
        who,
        sale.registrations[who],
        " ".join(name for name in names if name),
        (profile.email or "") if profile is not None else "",
        (profile.phone_number or "") if profile is not None else "",
        person is not None and person.guest,
        record,
        clerk.gateway.saleroom.won(sale, who),
        None if wish is None else wish.amount,
    )


async def news(clerk: Clerk, sale_id: str) -> Response:
    """How many wait who have come since an instant: for the page's own script."""
    since = clerk.request.query_params.get("after", "0")[:16]
    after = int(since) if since.isascii() and since.isdecimal() else 0
    sale = clerk.sale(sale_id)
    wishes = await _open_wishes(clerk, sale)
    came = [seat.at for seat in sale.registrations.values() if seat.admission == "pending"]
    count = sum(at > after for at in (*came, *_asked(wishes)))
    return JSONResponse({"count": count}, headers={"cache-control": "no-store"})


# ── Deciding ─────────────────────────────────────────────────────────────────────────────


async def decide(clerk: Clerk, sale_id: str, consumer_id: str) -> Response:
    """Let somebody in, up to a limit or without, or not: a refusal has its reason."""
    sale = clerk.sale(sale_id)
    before = sale.registrations.get(consumer_id)
    if before is None:
        raise Problem("registration_not_found")
    status = clerk.form.text("status")
    try:
        decision = bodies.take(_said(clerk, status), Decision, strict=False)
        await sales_api.decide(clerk.ask(), sale_id, consumer_id, decision)
    except Problem as problem:
        wrong = problem_text(clerk, problem)
        return await _queue(clerk, sale, wrong, consumer_id, problem.status)
    [who] = (await _applicants(clerk, sale, [consumer_id])).values()
    return clerk.done(
        f"/admin/sale/{sale_id}/registrations",
        _DID[status],
        undo={"token": _undo(clerk, sale, consumer_id, before), "seconds": UNDO_S},
        name=who.name or who.email or consumer_id,
        paddle=who.seat.paddle,
    )


def _said(clerk: Clerk, status: str) -> dict[str, Any]:
    form = clerk.form
    said: dict[str, Any] = {"status": status, "reason": form.text("reason")}
    if form.text("limit"):
        said["limit"] = form.text("limit")
    elif form.text("unlimited"):
        said["limit"] = None
    return said


def _undo(clerk: Clerk, sale: SaleView, consumer_id: str, before: RegistrationView) -> str:
    """What takes the decision back, while it is the last one."""
    now_s = clerk.gateway.clock.now() // 1000
    claims = {
        "key_id": clerk.key.key_id,
        "sale": sale.created.sale_id,
        "consumer": consumer_id,
        "before": msgspec.to_builtins(before),
        "decided_at": sale.registrations[consumer_id].at,
        "iat": now_s,
        "exp": now_s + UNDO_S + _GRACE_S,
    }
    return sign(clerk.gateway.keys, _UNDO, claims)


async def undo(clerk: Clerk, sale_id: str) -> Response:
    """Take a decision back: the bidder's place is as it was before it."""
    sale = clerk.sale(sale_id)
    claims = _claims(clerk, sale)
    if claims is None:
        return await _queue(clerk, sale, clerk.say("admin.undo.over"), status=409)
    who, before = claims["consumer"], msgspec.convert(claims["before"], RegistrationView)
    if sale.registrations[who].at != claims["decided_at"]:
        return await _queue(clerk, sale, clerk.say("admin.undo.decided-since"), status=409)
    await sales_api.restore(clerk.ask(), sale_id, who, before)
    return clerk.done(f"/admin/sale/{sale_id}/registrations", "admin.did.undone")


def _claims(clerk: Clerk, sale: SaleView) -> dict[str, Any] | None:
    try:
        claims = read_signed(clerk.gateway.keys, _UNDO, clerk.form.text("undo"))
    except BadToken:
        return None
    mine = (claims["key_id"], claims["sale"]) == (clerk.key.key_id, sale.created.sale_id)
    return claims if mine and clerk.gateway.clock.now() < claims["exp"] * 1000 else None
