"""Sessions: a refresh token works once, a lost answer can be asked for again, a thief is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update

from gateway.books import people, sessions
from gateway.books.people import read_profile
from gateway.books.rights import erase
from gateway.books.sessions import Pair, seed_demonstration
from gateway.books.store import Vault, reading, writing
from gateway.keys import (
    HouseKeys,
    Identity,
    load_or_create,
    mint_access_token,
    read_refresh_token,
    refresh_token,
    verify_access_token,
)
from gateway.settings import read_gateway_settings
from tests.gateway.books.conftest import NOW, at_once

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


@pytest.fixture
def pair(books: Engine, house: HouseKeys, vault: Vault) -> Pair:
    """What Ada was handed when she signed in."""
    return signed_in(books, house, vault, "ada@example.test")


def signed_in(books: Engine, house: HouseKeys, vault: Vault, email: str) -> Pair:
    with writing(books) as connection:
        person, _ = people.enter(connection, vault, "test", read_profile(email=email), NOW)
        return sessions.begin(connection, house, person, NOW)


def refresh(books: Engine, house: HouseKeys, token: str, now_ms: int) -> Pair | None:
    return sessions.refresh(books, house, "test", token, now_ms)


def revoked(books: Engine) -> list[str]:
    return [session_id for session_id, _ in sessions.revoked_since(books, 0)]


# ── The first pair ───────────────────────────────────────────────────────────────────────


def test_a_session_begins_with_a_pair(house: HouseKeys, pair: Pair) -> None:
    """An access token for an hour, a refresh token for thirty days."""
    identity = verify_access_token(house, pair.access_token, NOW)
    session = pair.session
    assert identity == Identity(session.consumer_id, session.session_id, NOW + 3_600_000, "test")
    assert pair.access_expires_at == identity.expires_at
    assert session.expires_at == NOW + 30 * DAY_MS
    assert session.type == "authenticated"
    assert read_refresh_token(house, pair.refresh_token) == (session.session_id, 0)


def test_neither_token_is_printed_or_kept(books: Engine, pair: Pair) -> None:
    """No row and no repr holds what opens the door."""
    with reading(books) as connection:
        row = str(connection.execute(select(sessions.sessions)).one())
    for token in (pair.access_token, pair.refresh_token, pair.refresh_token.split("_")[-1]):
        assert token not in repr(pair)
        assert token not in row


# ── Refreshing ───────────────────────────────────────────────────────────────────────────


def test_each_refresh_gives_a_new_pair(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """Of the same session, which then lives for thirty days more."""
    token, seen = pair.refresh_token, {pair.refresh_token, pair.access_token}
    for day in range(1, 100, 20):
        now = NOW + day * DAY_MS
        following = refresh(books, house, token, now)
        assert following is not None
        assert following.session.session_id == pair.session.session_id
        assert following.session.expires_at == now + 30 * DAY_MS
        identity = verify_access_token(house, following.access_token, now)
        assert identity.consumer_id == pair.session.consumer_id
        assert not {following.refresh_token, following.access_token} & seen
        seen |= {following.refresh_token, following.access_token}
        token = following.refresh_token


@pytest.mark.parametrize("later_ms", [0, 1, 999, 29_999, 30_000])
def test_a_lost_answer_can_be_asked_for_again(
    books: Engine, house: HouseKeys, pair: Pair, later_ms: int
) -> None:
    """The token just replaced gets the very same pair, and nobody is thrown out."""
    at = NOW + 1_234_567
    first = refresh(books, house, pair.refresh_token, at)
    again = refresh(books, house, pair.refresh_token, at + later_ms)
    assert first is not None
    assert again == first
    assert revoked(books) == []


def test_reuse_after_half_a_minute_ends_the_session(
    books: Engine, house: HouseKeys, pair: Pair
) -> None:
    """Two have the token: neither they nor their newer tokens get any further."""
    first = refresh(books, house, pair.refresh_token, NOW)
    assert first is not None
    assert refresh(books, house, pair.refresh_token, NOW + 30_001) is None
    assert sessions.revoked_since(books, 0) == [(pair.session.session_id, NOW + 30_001)]
    assert refresh(books, house, first.refresh_token, NOW + 30_002) is None
    assert refresh(books, house, pair.refresh_token, NOW + 2) is None  # the replay neither
    assert sessions.revoked_since(books, 0) == [(pair.session.session_id, NOW + 30_001)]


def test_an_older_token_ends_the_session_at_once(
    books: Engine, house: HouseKeys, pair: Pair
) -> None:
    """Only the one just replaced may come again; the one before it is a thief's."""
    first = refresh(books, house, pair.refresh_token, NOW)
    assert first is not None
    second = refresh(books, house, first.refresh_token, NOW + 1)
    assert second is not None
    assert refresh(books, house, pair.refresh_token, NOW + 2) is None
    assert revoked(books) == [pair.session.session_id]
    assert refresh(books, house, second.refresh_token, NOW + 3) is None


def test_refreshing_at_once_gives_all_the_same_pair(
    books: Engine, house: HouseKeys, vault: Vault
) -> None:
    """Two tabs, two gateways: one change of the row, one pair, no thief."""
    for number in range(8):
        pair = signed_in(books, house, vault, f"{number}@example.test")
        # The same instant by different clocks.
        found = at_once(
            8,
            lambda n, pair=pair: refresh(books, house, pair.refresh_token, NOW + n),  # type: ignore[misc]
        )
        assert found[0] is not None
        assert found[0].session.generation == 1
        assert len(set(found)) == 1
    assert revoked(books) == []


def test_a_session_ends_after_thirty_days(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """To the millisecond; and an expired token is no reuse."""
    assert refresh(books, house, pair.refresh_token, NOW + 30 * DAY_MS) is None
    assert revoked(books) == []
    assert refresh(books, house, pair.refresh_token, NOW + 30 * DAY_MS - 1) is not None


def test_what_is_no_refresh_token_of_ours_is_worth_nothing(
    books: Engine, house: HouseKeys, pair: Pair
) -> None:
    """Made up, of a session that is not there, of another mode, or of the future."""
    session_id = pair.session.session_id
    for token in (
        "",
        "rt_",
        pair.access_token,
        pair.refresh_token[:-1] + ("0" if pair.refresh_token[-1] != "0" else "1"),
        refresh_token(house, "ses_nobody", 0),
        refresh_token(house, session_id, 1),  # not given out yet: a restored database perhaps
    ):
        assert refresh(books, house, token, NOW) is None
    assert sessions.refresh(books, house, "live", pair.refresh_token, NOW) is None
    assert revoked(books) == []
    assert refresh(books, house, pair.refresh_token, NOW) is not None


# ── The end ──────────────────────────────────────────────────────────────────────────────


def test_logging_out_ends_one_session(books: Engine, house: HouseKeys, vault: Vault) -> None:
    """This one, for good; the others of the same person go on."""
    here, there = (signed_in(books, house, vault, "ada@example.test") for _ in range(2))
    assert sessions.log_out(books, here.session.session_id, NOW + 5)
    assert not sessions.log_out(books, here.session.session_id, NOW + 6)
    assert not sessions.log_out(books, "ses_nobody", NOW)
    assert refresh(books, house, here.refresh_token, NOW + 7) is None
    assert refresh(books, house, there.refresh_token, NOW + 7) is not None
    assert sessions.revoked_since(books, 0) == [(here.session.session_id, NOW + 5)]


def test_gateways_learn_what_has_ended_since_they_asked(
    books: Engine, house: HouseKeys, vault: Vault
) -> None:
    """Everything from that instant on, itself included, in its order."""
    ids = [signed_in(books, house, vault, f"{n}@example.test").session.session_id for n in range(4)]
    for place, session_id in enumerate(ids[:3]):
        sessions.log_out(books, session_id, NOW + place)
    assert sessions.revoked_since(books, NOW + 1) == [(ids[1], NOW + 1), (ids[2], NOW + 2)]
    assert sessions.revoked_since(books, NOW + 3) == []


def test_sweeping_takes_only_what_is_over(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """A session that stands, or whose end must still be told, stays."""
    identity = verify_access_token(house, pair.access_token, NOW)
    ticket, expires_at = sessions.issue_ticket(books, identity, NOW)
    sessions.sweep(books, expires_at - 1)
    assert sessions.use_ticket(books, ticket, expires_at - 1) == identity
    sessions.log_out(books, pair.session.session_id, NOW)
    sessions.sweep(books, NOW + 30 * DAY_MS - 1)
    assert revoked(books) == [pair.session.session_id]
    sessions.issue_ticket(books, identity, NOW)
    sessions.sweep(books, NOW + 30 * DAY_MS)
    with reading(books) as connection:
        for table in (sessions.sessions, sessions.tickets):
            assert connection.execute(select(table)).all() == []


# ── Tickets ──────────────────────────────────────────────────────────────────────────────


def test_a_ticket_says_whom_it_was_given_to(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """The identity of the access token, its own end included; once."""
    identity = verify_access_token(house, pair.access_token, NOW)
    ticket, expires_at = sessions.issue_ticket(books, identity, NOW)
    assert expires_at == NOW + 30_000
    assert sessions.use_ticket(books, ticket, NOW + 29_999) == identity
    assert sessions.use_ticket(books, ticket, NOW + 29_999) is None


def test_a_ticket_of_the_desk_opens_a_console_once(books: Engine) -> None:
    """It names the key of the house that asked for it, and nobody's account."""
    ticket, _ = sessions.issue_console_ticket(books, "key_rostrum", "live", NOW)
    found = sessions.use_ticket(books, ticket, NOW + 29_999)
    assert found == sessions.ConsoleKey("key_rostrum", "live")
    assert sessions.use_ticket(books, ticket, NOW + 29_999) is None
    late, expires_at = sessions.issue_console_ticket(books, "key_rostrum", "live", NOW)
    assert sessions.use_ticket(books, late, expires_at) is None


def test_a_ticket_is_used_once_by_fifty_at_once(
    books: Engine, house: HouseKeys, pair: Pair
) -> None:
    """One of them gets in."""
    identity = verify_access_token(house, pair.access_token, NOW)
    for _ in range(3):
        ticket, _ = sessions.issue_ticket(books, identity, NOW)
        found = at_once(50, lambda _, ticket=ticket: sessions.use_ticket(books, ticket, NOW))  # type: ignore[misc]
        assert [one for one in found if one is not None] == [identity]


def test_a_ticket_is_worth_nothing_too_late(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """After half a minute, after its session, after its token, or made up."""
    identity = verify_access_token(house, pair.access_token, NOW)
    tickets = [sessions.issue_ticket(books, identity, NOW)[0] for _ in range(2)]
    assert sessions.use_ticket(books, tickets[0], NOW + 30_000) is None
    assert sessions.use_ticket(books, "wst_made_up", NOW) is None
    late, _ = sessions.issue_ticket(books, identity, identity.expires_at - 10)
    assert sessions.use_ticket(books, late, identity.expires_at) is None
    sessions.log_out(books, identity.session_id, NOW)
    assert sessions.use_ticket(books, tickets[1], NOW) is None


def test_a_ticket_needs_no_session_in_the_books(books: Engine, house: HouseKeys) -> None:
    """A token is taken on its signature: so is what it buys."""
    token = mint_access_token(house, "cons_elsewhere", 60, NOW)
    identity = verify_access_token(house, token, NOW)
    ticket, _ = sessions.issue_ticket(books, identity, NOW)
    assert sessions.use_ticket(books, ticket, NOW) == identity


def test_a_ticket_is_kept_as_a_hash(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """Who reads the table opens no socket."""
    identity = verify_access_token(house, pair.access_token, NOW)
    ticket, _ = sessions.issue_ticket(books, identity, NOW)
    with reading(books) as connection:
        row = connection.execute(select(sessions.tickets)).one()
    assert ticket not in str(row)
    assert ticket.removeprefix("wst_") not in str(row)


# ── The demonstration ────────────────────────────────────────────────────────────────────


def test_the_people_of_the_demonstration_are_real(
    books: Engine, house: HouseKeys, vault: Vault
) -> None:
    """Found by their addresses, and with sessions that their tokens in keys.json refresh."""
    seed_demonstration(books, house, NOW)
    assert house.demo is not None
    for bidder in house.demo.bidders:
        person = people.by_email(books, vault, "test", bidder.email.upper())
        assert person is not None
        assert person.consumer_id == bidder.consumer_id
        assert f"{person.profile.first_name} {person.profile.last_name}" == bidder.name
        identity = verify_access_token(house, bidder.token, NOW)
        following = refresh(books, house, bidder.refresh_token, NOW + DAY_MS)
        assert following is not None
        assert following.session.session_id == identity.session_id
        assert following.session.consumer_id == bidder.consumer_id


def test_seeding_again_changes_nothing(books: Engine, house: HouseKeys, vault: Vault) -> None:
    """Every start does it: who was logged out stays so, who was erased does not come back."""
    seed_demonstration(books, house, NOW)
    assert house.demo is not None
    refreshed, logged_out, erased, *_ = house.demo.bidders
    refresh(books, house, refreshed.refresh_token, NOW + 1)
    ended = verify_access_token(house, logged_out.token, NOW).session_id
    sessions.log_out(books, ended, NOW + 2)
    erase(books, vault, erased.consumer_id, NOW + 3)
    before = rows(books)
    seed_demonstration(books, house, NOW + 4)
    assert rows(books) == before
    assert refresh(books, house, logged_out.refresh_token, NOW + 5) is None
    assert people.by_email(books, vault, "test", erased.email) is None


def rows(books: Engine) -> list[str]:
    with reading(books) as connection:
        return sorted(
            str(row)
            for table in (people.persons, sessions.sessions)
            for row in connection.execute(select(table))
        )


def test_a_session_of_somebody_erased_begins_ended(
    books: Engine, house: HouseKeys, vault: Vault
) -> None:
    """keys.json may hold new tokens of somebody who has been erased since."""
    seed_demonstration(books, house, NOW)
    assert house.demo is not None
    bidder = house.demo.bidders[0]
    erase(books, vault, bidder.consumer_id, NOW + 1)
    with writing(books) as connection:
        mine = sessions.sessions.c.consumer_id == bidder.consumer_id
        connection.execute(delete(sessions.sessions).where(mine))
    seed_demonstration(books, house, NOW + 2)
    assert refresh(books, house, bidder.refresh_token, NOW + 3) is None
    assert revoked(books) == [verify_access_token(house, bidder.token, NOW).session_id]


def test_renewed_tokens_have_new_sessions(books: Engine, tmp_path: Path) -> None:
    """After thirty days keys.json has other tokens, and they work too."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path / "var")})
    for now in (NOW, NOW + 31 * DAY_MS):
        keys = load_or_create(settings, now)
        seed_demonstration(books, keys, now)
        assert keys.demo is not None
        assert refresh(books, keys, keys.demo.bidders[0].refresh_token, now) is not None


def test_an_address_that_somebody_has_is_left_to_them(
    books: Engine, house: HouseKeys, vault: Vault
) -> None:
    """keys.json made anew: the new bidder is a person all the same, and signs in."""
    assert house.demo is not None
    bidder = house.demo.bidders[0]
    said = read_profile(email=bidder.email)
    before, _ = people.create_or_get_by_email(books, vault, "test", said, NOW)
    seed_demonstration(books, house, NOW)
    assert people.by_email(books, vault, "test", bidder.email) == before
    new = people.by_id(books, vault, bidder.consumer_id)
    assert new is not None
    assert new.email is None
    assert refresh(books, house, bidder.refresh_token, NOW) is not None


def test_a_house_without_a_demonstration_seeds_nobody(books: Engine, tmp_path: Path) -> None:
    """DEMO=0."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path / "var"), "DEMO": "0"})
    seed_demonstration(books, load_or_create(settings, NOW), NOW)
    assert rows(books) == []


def test_a_clock_behind_is_no_thief(books: Engine, house: HouseKeys, pair: Pair) -> None:
    """Another gateway, a moment earlier by its clock, still repeats the pair."""
    first = refresh(books, house, pair.refresh_token, NOW + 50)
    assert refresh(books, house, pair.refresh_token, NOW + 20) == first
    with writing(books) as connection:  # and not for ever, should a clock have been far ahead
        moved = update(sessions.sessions).values(expires_at=NOW)
        connection.execute(moved)
    assert refresh(books, house, pair.refresh_token, NOW + 20) is None
