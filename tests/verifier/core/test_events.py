"""Provenance events: what is public of them, and that a history cannot be rearranged."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from verifier.core import signing
from verifier.core.events import (
    BadChain,
    Draft,
    check_chain,
    details_of,
    document,
    event_hash,
    instant,
    role,
    shown_details,
)
from verifier.core.objects import EVENT_TYPES, OF_CUSTODY

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SERIAL = "AUC260218FKC5SKSEZ"
NOON = 1_771_416_000_000 + 12_345  # 2026-02-18 12:00:12 UTC


def history(*types: str) -> list[dict[str, Any]]:
    """A chain of events of these types, a second apart."""
    found: list[dict[str, Any]] = []
    for seq, event_type in enumerate(types):
        at = NOON + seq * 1_000
        previous = event_hash(found[-1]) if found else None
        draft = Draft(
            f"evt_{seq}", event_type, SERIAL, "test", seq, previous, at, at, "House", {}, {}
        )
        found.append(document(draft, "https://id.example", KEY))
    return found


WHOLE = history("registered", "photographed", "cataloged", "listed", "sold")


def test_a_history_is_whole() -> None:
    """As it was written, it follows; and every document is signed."""
    check_chain(WHOLE, SERIAL)
    for signed in WHOLE:
        signing.verify(signed, KEY.public_key())


@pytest.mark.parametrize("place", range(len(WHOLE)))
def test_an_event_that_is_dropped_is_missed(place: int) -> None:
    """Wherever it stood; only the last cannot be missed by the chain alone, whose length the
    object's row and the log know."""
    rest = WHOLE[:place] + WHOLE[place + 1 :]
    if place == len(WHOLE) - 1:
        check_chain(rest, SERIAL)
        return
    with pytest.raises(BadChain) as found:
        check_chain(rest, SERIAL)
    assert found.value.seq == place


@pytest.mark.parametrize("place", range(len(WHOLE) - 1))
def test_events_that_change_places_are_found(place: int) -> None:
    """Two neighbours swapped, or one doubled: named by where it begins."""
    swapped = [*WHOLE[:place], WHOLE[place + 1], WHOLE[place], *WHOLE[place + 2 :]]
    doubled = [*WHOLE[: place + 1], *WHOLE[place:]]
    for changed, seq in ((swapped, place), (doubled, place + 1)):
        with pytest.raises(BadChain) as found:
            check_chain(changed, SERIAL)
        assert found.value.seq == seq


def test_an_event_of_another_object_is_found() -> None:
    """A chain is of one serial."""
    with pytest.raises(BadChain, match="another object"):
        check_chain(WHOLE, "AUC260218FKC5SKSEY")


def test_a_changed_word_breaks_what_follows() -> None:
    """Whoever signs a changed event anew breaks the chain at the next one."""
    changed = copy.deepcopy(WHOLE)
    unsigned = {key: value for key, value in changed[2].items() if key != "proof"}
    unsigned["credentialSubject"]["actor"] = "Buyer"
    changed[2] = signing.sign(unsigned, KEY, unsigned["validFrom"])
    with pytest.raises(BadChain) as found:
        check_chain(changed, SERIAL)
    assert found.value.seq == 3


def test_a_field_too_many_is_refused() -> None:
    """What nobody checks is not carried along."""
    for where in ("document", "subject"):
        changed = copy.deepcopy(WHOLE)
        target = changed[-1] if where == "document" else changed[-1]["credentialSubject"]
        target["note"] = "seen"
        with pytest.raises(BadChain, match="too many"):
            check_chain(changed, SERIAL)


@pytest.mark.parametrize("event_type", sorted(OF_CUSTODY))
def test_a_change_of_custody_is_dated_by_the_day(event_type: str) -> None:
    """In everything that is signed: neither the event nor its signature tells the hour."""
    [signed] = history(event_type)
    assert signed["validFrom"] == signed["proof"]["created"] == "2026-02-18T00:00:00Z"
    assert instant("registered", NOON) == "2026-02-18T12:00:12Z"


def test_details_and_commitments_have_names_that_are_allowed() -> None:
    """A catalogue's number is public of a cataloguing, and of nothing else; free text never is;
    and no event commits to anything under a name that somebody made up."""
    assert "catalogNumber" in details_of("cataloged")
    assert "catalogNumber" not in details_of("exhibited")
    for event_type in EVENT_TYPES:
        assert not {"description", "evidence", "actorRole"} & set(details_of(event_type))
    for where, name in (("details", "note"), ("commitments", "from Mr Smith")):
        changed = copy.deepcopy(WHOLE)
        changed[-1]["credentialSubject"][where][name] = "00" * 32
        with pytest.raises(BadChain) as found:
            check_chain(changed, SERIAL)
        assert found.value.seq == len(WHOLE) - 1


def test_what_anybody_is_shown_is_less_than_what_is_signed() -> None:
    """Of a photograph nothing, of a sale its price."""
    signed = {"sha256": "00", "hammerPrice": "5.00", "currency": "EUR"}
    assert shown_details("photographed", signed) == {}
    assert shown_details("sold", signed) == {"hammerPrice": "5.00", "currency": "EUR"}


def test_a_role_is_one_of_those_that_name_nobody() -> None:
    """Whatever else is said of who acted is a party, and no name."""
    assert role("auction_house") == role("House") == "House"
    assert role("Owner") == "Verified Private Collector"
    assert role("John Smith") == "Party"
