"""Money as double entry: lines that balance, balances that never go below zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ledger import (
    LARGEST,
    Account,
    Hold,
    Line,
    Overdrawn,
    Prize,
    available,
    base_units,
    bid_exponent,
    burned,
    held,
    hold,
    house,
    issue,
    issued,
    pay,
    post,
    release,
    settle,
    written,
)

AT = 1_795_000_000_000
ANA = Hold("bid_ana", "auction_k3f9_1", "cons_ana", "gold", 60)
BO = Hold("bid_bo", "auction_k3f9_1", "cons_bo", "gold", 40)
CY = Hold("bid_cy", "auction_k3f9_1", "cons_cy", "gold", 40)
JAR = Prize("jars", "7")


def after(*lines: Line) -> dict[Account, int]:
    """The balances, from empty books."""
    return {account: b for account, b in post(defaultdict(int), lines).items() if b}


# ── Lines ────────────────────────────────────────────────────────────────────────────────


def test_what_is_issued_comes_from_outside() -> None:
    """Ana has a hundred, and the world outside has given a hundred."""
    assert after(issue("k1", "cons_ana", "gold", 100, AT)) == {
        available("cons_ana", "gold"): 100,
        issued("gold"): -100,
    }


def test_a_held_amount_cannot_be_held_again() -> None:
    """Of a hundred, sixty are held for one bid; another sixty are not there."""
    lines = [issue("k1", "cons_ana", "gold", 100, AT), hold(ANA, AT)]
    assert after(*lines)[held("cons_ana", "gold")] == 60
    with pytest.raises(Overdrawn):
        after(*lines, hold(Hold("bid_2", ANA.auction_id, "cons_ana", "gold", 41), AT))


def test_a_released_amount_is_free_again() -> None:
    """As if there had been no bid; the journal says that there was."""
    [line] = release(ANA, AT).lines
    assert line.journal_key == "end:bid_ana"
    lines = [issue("k1", "cons_ana", "gold", 100, AT), hold(ANA, AT), line]
    assert after(*lines)[available("cons_ana", "gold")] == 100


@pytest.mark.parametrize(
    ("settlement", "how", "where"),
    [("burn", "burned", burned("gold")), ("transfer", "transferred", house("gold"))],
)
def test_a_winner_pays_and_is_given(settlement: str, how: str, where: Account) -> None:
    """The tokens are destroyed, or the house's; one jar is theirs."""
    ended = pay(ANA, "burn" if settlement == "burn" else "transfer", JAR, AT)
    assert ended.how == how
    assert after(issue("k1", "cons_ana", "gold", 60, AT), hold(ANA, AT), *ended.lines) == {
        issued("gold"): -60,
        where: 60,
        issued("jars", "7"): -1,
        available("cons_ana", "jars", "7"): 1,
    }


def test_every_end_of_a_bid_has_the_same_key() -> None:
    """A bid that was released can never be burned as well, nor the other way round."""
    ends = [release(ANA, AT), pay(ANA, "burn", JAR, AT), pay(ANA, "transfer", JAR, AT)]
    assert {ended.lines[0].journal_key for ended in ends} == {"end:bid_ana"}
    assert [line.journal_key for line in ends[1].lines[1:]] == ["mint:bid_ana"]


def test_the_best_bids_win_and_the_others_go_free() -> None:
    """Two winners of three; the third has everything back."""
    ends = settle([BO, CY, ANA], ["bid_ana", "bid_bo"], JAR, 2, "burn", AT)
    assert {ended.hold.bid_id: ended.how for ended in ends} == {
        "bid_ana": "burned",
        "bid_bo": "burned",
        "bid_cy": "released",
    }


def test_no_more_is_minted_than_was_for_sale() -> None:
    """Whoever says that three have won: one jar, one mint."""
    ends = settle([ANA, BO, CY], ["bid_ana", "bid_bo", "bid_cy"], JAR, 1, "transfer", AT)
    assert [ended.how for ended in ends] == ["transferred", "released", "released"]


def test_a_winner_with_nothing_held_is_given_nothing() -> None:
    """Nobody pays with what is not there."""
    ends = settle([BO], ["bid_ana", "bid_bo"], JAR, 2, "burn", AT)
    assert [ended.hold for ended in ends] == [BO]


@pytest.mark.parametrize(
    "line",
    [
        Line("none", issued("gold"), available("cons_ana", "gold"), 0, AT),
        Line("less", issued("gold"), available("cons_ana", "gold"), -1, AT),
        Line("two", issued("gold"), available("cons_ana", "jars"), 1, AT),
        Line("nowhere", issued("gold"), issued("gold"), 1, AT),
    ],
)
def test_a_line_that_cannot_be_is_a_bug(line: Line) -> None:
    """Of no amount, of two assets, or from an account to itself: stop."""
    with pytest.raises(AssertionError):
        after(line)


def test_no_account_holds_more_than_a_chain_could() -> None:
    """The largest amount fits, and one more does not."""
    all_of_it = issue("k1", "cons_ana", "gold", LARGEST, AT)
    assert after(all_of_it)[available("cons_ana", "gold")] == LARGEST
    with pytest.raises(Overdrawn):
        after(all_of_it, issue("k2", "cons_bo", "gold", 1, AT))


_BIDS = [ANA, BO, CY]
_TRIES: dict[str, Callable[[Hold, str], Sequence[Line]]] = {
    "issue": lambda bid, key: [issue(key, bid.consumer_id, "gold", 3 * bid.amount, AT)],
    "hold": lambda bid, _: [hold(bid, AT)],
    "release": lambda bid, _: release(bid, AT).lines,
    "burn": lambda bid, _: pay(bid, "burn", JAR, AT).lines,
    "transfer": lambda bid, _: pay(bid, "transfer", JAR, AT).lines,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(_TRIES)), st.sampled_from(_BIDS)), max_size=40))
def test_whatever_is_tried_nothing_is_made_or_lost(steps: list[tuple[str, Hold]]) -> None:
    """In any order: what there is of an asset over all accounts is nothing, and nobody owes."""
    balances: dict[Account, int] = defaultdict(int)
    for number, (what, bid) in enumerate(steps):
        with suppress(Overdrawn):
            balances |= post(balances, _TRIES[what](bid, str(number)))
    assert all(b >= 0 for account, b in balances.items() if account.kind != "issued")
    for asset in ("gold", "jars"):
        assert sum(b for account, b in balances.items() if account.asset_id == asset) == 0


# ── Amounts ──────────────────────────────────────────────────────────────────────────────


def test_amounts_are_written_so_that_texts_sort_as_numbers_do() -> None:
    """78 digits, the largest amount among them; what is below zero has another shape."""
    numbers = [0, 1, 9, 10, 10**77, LARGEST]
    texts = [written(number) for number in numbers]
    assert {len(text) for text in texts} == {78}
    assert sorted(texts) == texts
    assert [int(text) for text in texts] == numbers
    assert not written(-1).isdigit()
    assert len(written(10**78)) == 79


@pytest.mark.parametrize(
    ("amount", "decimals", "units"),
    [
        (12_000_000, 18, 12 * 10**18),  # twelve tokens, in millionths
        (2**53 - 1, 18, (2**53 - 1) * 10**12),
        (12_345_678, 6, 12_345_678),
        (1_250, 2, 1_250),  # an asset with cents is bid in cents
        (7, 0, 7),
    ],
)
def test_a_bid_is_held_to_the_last_unit(amount: int, decimals: int, units: int) -> None:
    """A bid's millionths, or fewer decimals where the asset has fewer, become base units."""
    assert base_units(amount, bid_exponent(decimals), decimals) == units
