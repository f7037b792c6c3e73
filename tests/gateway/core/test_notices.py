"""Who is told of what by mail, and in which words."""

from __future__ import annotations

import pytest

from engine.core.messages import (
    BidAccepted,
    BidderRegistered,
    BidsUndone,
    CancelLot,
    CloseLot,
    Command,
    LotAdded,
    LotReopened,
    PublicState,
    SettleLot,
    State,
)
from gateway.books.people import NOTICES
from gateway.core.notices import (
    KINDS,
    Bid,
    Kind,
    Notice,
    Occasion,
    notices_of,
    one_line,
    passed_over,
    registration_notice,
    wording,
)
from gateway.core.webhooks import Lot
from tests.gateway.decisions import AT, bid, decided, sale_of_lots

LOT = "auction_k3f9_1"
OFF = "https://sale.example.test/me#notices"


def notices(*commands: Command) -> list[Notice]:
    """Whom the lot's story concerns, event by event."""
    lot = Lot(LOT, "seq_k3f9", "test", "EUR", 2, "english", 1, {})
    found: list[Notice] = []
    bidders: dict[str, None] = {}
    for place, event in enumerate(decided([*sale_of_lots(), *commands]), 1):
        if isinstance(event, LotAdded):
            continue
        found += notices_of(event, place, lot, list(bidders))
        lot.fold(event)
        if isinstance(event, BidAccepted):
            bidders[event.consumer_id] = None
    return found


def about(**changes: object) -> Occasion:
    """The occasion that most mails speak of."""
    said: dict[str, object] = {
        "sale_name": "Studio ceramics",
        "lot_number": "12A",
        "lot_name": "Jar",
        "link": "https://sale.example.test/lot/auction_k3f9_1",
        "preferences": OFF,
        "amounts": {"price": "120.00 EUR", "asking": "130.00 EUR", "amount": "120.00 EUR"},
        "until": AT,
        "admission": "approved",
        "paddle": 7,
    }
    return Occasion(**{**said, **changes})  # type: ignore[arg-type]


# ── Who ──────────────────────────────────────────────────────────────────────────────────


def test_who_is_outbid_is_told_the_public_figures() -> None:
    """The new price and the next bid; whoever was passed at once by a limit knows already."""
    found = notices(
        bid("cons_ana", 30_000, "max"), bid("cons_bo", 20_000), bid("cons_cy", 40_000, "max")
    )
    [outbid] = found
    assert (outbid.kind, outbid.consumer_id) == ("outbid", "cons_ana")
    assert outbid.figures == {"price": 31_000, "asking": 32_000, "place": 6}


def test_winner_and_losers_are_told_at_the_settlement() -> None:
    """One mail each, and none to a guest who lost."""
    found = notices(
        bid("cons_ana", 20_000),
        bid("guest_bo", 30_000),
        bid("cons_cy", 40_000),
        CloseLot(LOT),
        SettleLot(LOT),
    )
    told = {notice.consumer_id: notice for notice in found if notice.kind != "outbid"}
    assert {name: notice.kind for name, notice in told.items()} == {
        "cons_ana": "lost",
        "cons_cy": "won",
    }
    assert told["cons_cy"].figures == {"amount": 40_000}


def test_after_a_cancelation_everybody_has_lost() -> None:
    """The leader too, and the mail says why."""
    found = notices(bid("cons_ana", 20_000), bid("cons_bo", 30_000), CancelLot(LOT))
    lost = [notice for notice in found if notice.kind == "lost"]
    assert [notice.consumer_id for notice in lost] == ["cons_ana", "cons_bo"]
    assert all(notice.figures == {"canceled": True} for notice in lost)


def test_what_the_rostrum_takes_back_is_told_to_whose_it_was() -> None:
    """Each bidder once, with the reason; who leads again where a lot is reopened; and nobody in
    the room, who has left no address."""
    after = PublicState(9, State.OPEN, 10_000, 11_000, None, 1, 1, "none", None, 0)
    lot = Lot(LOT, "seq_k3f9", "test", "EUR", 2, "live", 1, {})
    undone = (("cons_ada", "a1"), ("floor_12", "x"), ("cons_ada", "a2"), ("guest_1", "g"))
    event = BidsUndone(AT, LOT, 2, undone, "misheard", after)
    [notice] = notices_of(event, 9, lot, [])
    assert (notice.kind, notice.consumer_id) == ("undone", "cons_ada")
    said = wording("undone", about(reason="misheard", amounts={"price": "100.00 EUR"}))
    assert said.subject == "Your bid on lot 12A was undone"
    assert "Reason: misheard" in said.text
    assert "100.00 EUR again, and nobody leads" in said.text
    reopened = LotReopened(AT, LOT, "a bid was missed", after)
    [notice] = notices_of(reopened, 9, lot, ["cons_bram"])
    assert notice.figures == {"reason": "a bid was missed", "reopened": True, "price": 10_000}
    said = wording("undone", about(reason="a bid was missed", reopened=True))
    assert said.subject == "Lot 12A was reopened"
    assert "Your bid leads at 120.00 EUR until somebody bids more." in said.text


def test_only_what_the_house_decides_on_a_registration_is_told() -> None:
    """Not what the bidder did, not a registration that waits."""
    by_house = BidderRegistered(AT, "seq_k3f9", "cons_ana", 7, "declined", reason="No", by="key_1")
    notice = registration_notice(by_house)
    assert notice is not None
    assert (notice.kind, notice.auction_id) == ("registration", None)
    assert notice.figures == {"admission": "declined", "paddle": 7, "reason": "No"}
    own = BidderRegistered(AT, "seq_k3f9", "cons_ana", 7, "approved")
    waits = BidderRegistered(AT, "seq_k3f9", "cons_ana", 7, "pending", by="key_1")
    guest = BidderRegistered(AT, "seq_k3f9", "guest_ana", 7, "approved", by="key_1")
    assert [registration_notice(event) for event in (own, waits, guest)] == [None, None, None]


def test_before_the_end_those_are_told_who_hold_no_place() -> None:
    """The higher bid leads, of equal ones the earlier."""
    last = [Bid("cons_ana", 20_000, 9), Bid("cons_bo", 30_000, 7), Bid("cons_cy", 30_000, 5)]
    assert passed_over(last, 1) == ["cons_bo", "cons_ana"]
    assert passed_over(last, 2) == ["cons_ana"]
    assert passed_over([*last, Bid("guest_dov", 1, 1)], 3) == []


# ── In which words ───────────────────────────────────────────────────────────────────────


def test_every_kind_can_be_switched_off_by_its_own_name() -> None:
    """The preferences know each of them."""
    assert set(KINDS) <= set(NOTICES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_mail_says_where_it_is_switched_off_and_where_to_go_on(kind: Kind) -> None:
    """A short subject on one line, the link, and the page of preferences."""
    words = wording(kind, about())
    assert len(words.subject) <= 60
    assert "\n" not in words.subject
    assert f"Switch off mail like this: {OFF}\n" in words.text
    assert "https://sale.example.test/lot/auction_k3f9_1" in words.text


def test_the_words_hold_the_figures() -> None:
    """Amounts with their currency, and instants with their day."""
    outbid = wording("outbid", about())
    assert outbid.subject == "Outbid on lot 12A"
    assert "The bid stands at 120.00 EUR." in outbid.text
    assert "The next bid would be 130.00 EUR." in outbid.text
    assert "Bidding closes at 11:06 UTC on 18 November 2026." in outbid.text
    won = wording("won", about())
    assert won.subject == "You won lot 12A"
    assert "lot 12A, Jar, for 120.00 EUR." in won.text


def test_a_canceled_lot_and_a_refusal_say_what_happened() -> None:
    """Neither is dressed up."""
    assert wording("lost", about(canceled=True)).subject == "Lot 12A was canceled"
    declined = wording("registration", about(admission="declined", reason="No\r\ndeposit"))
    assert declined.subject == "Registration declined"
    assert "Reason: No deposit" in declined.text
    assert "paddle" not in declined.text


def test_a_name_of_several_lines_stays_on_one() -> None:
    """Whatever a catalogue holds, a subject is one short line."""
    words = wording("outbid", about(lot_number="12A\r\nBcc: eve@example.test" + "x" * 80))
    assert words.subject.startswith("Outbid on lot 12A Bcc: eve@example.test")
    assert words.subject.endswith("…")
    assert one_line("a\u2028b\x00c\x85d") == "a b c d"
