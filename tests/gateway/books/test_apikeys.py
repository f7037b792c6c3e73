"""API keys: shown once, kept as hashes, two live while programs are told, and never three."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from gateway.books import apikeys
from gateway.books.apikeys import SCOPES, ApiKey, KeyRing, KeyWish, read_wish
from gateway.books.store import BadField, digest, reading
from gateway.keys import HouseKeys, KeyKind, load_or_create
from gateway.settings import read_gateway_settings
from tests.gateway.books.conftest import NOW, at_once, together

DAY_MS = 24 * 3_600_000
SHOP = KeyWish("secret", "the shop", SCOPES, None)


def ring(books: Engine, now_ms: int = NOW) -> KeyRing:
    """What a gateway holds a second later."""
    return KeyRing(apikeys.known_keys(books, now_ms))


# ── Wishes ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "scopes", "has"),
    [
        ("publishable", None, ()),
        ("publishable", [], ()),
        ("secret", None, SCOPES),
        ("secret", ["auctions:read"], ("auctions:read",)),
        ("operator", ["console", "auctions:read", "console"], ("auctions:read", "console")),
    ],
)
def test_a_key_has_the_scopes_that_were_wished_for(
    kind: str, scopes: object, has: tuple[str, ...]
) -> None:
    """In the order of the table; a secret key without any runs everything."""
    assert read_wish(kind, " the shop ", scopes, None, NOW).scopes == has
    assert read_wish(kind, " the shop ", scopes, NOW + 1, NOW).name == "the shop"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("kind", {"kind": "skeleton"}),
        ("kind", {"kind": None}),
        ("kind", {"kind": ["secret"]}),
        ("name", {"name": ""}),
        ("name", {"name": "  "}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "a" * 101}),
        ("name", {"name": 7}),
        ("scopes", {"scopes": ["everything"]}),
        ("scopes", {"scopes": "console"}),
        ("scopes", {"scopes": [["console"]]}),
        ("scopes", {"kind": "operator", "scopes": None}),
        ("scopes", {"kind": "publishable", "scopes": ["console"]}),
        ("expiresAt", {"expires_at": NOW}),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_name(field: str, wrong: dict[str, Any]) -> None:
    """Before anything was made."""
    good = {"kind": "secret", "name": "the shop", "scopes": None, "expires_at": None}
    with pytest.raises(BadField) as complaint:
        read_wish(**{**good, **wrong}, now_ms=NOW)
    assert complaint.value.field == field


# ── Making and finding ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("publishable", r"pk_%s_\w{24}"),
        ("secret", r"sk_%s_\w{40}"),
        ("operator", r"optr_%s_\w{40}"),
    ],
)
def test_a_key_is_found_by_its_text(books: Engine, mode: Any, kind: KeyKind, form: str) -> None:
    """Its form tells kind and mode; what is nearly it is nothing."""
    key, text = apikeys.create(books, mode, replace(SHOP, kind=kind), NOW)
    assert re.fullmatch(form % mode, text)
    assert re.fullmatch("key_[a-z2-9]{16}", key.key_id)
    known = ring(books)
    assert known.find(text, NOW) == key
    assert (key.kind, key.mode, key.name, key.created_at) == (kind, mode, "the shop", NOW)
    for wrong in ("", text[:-1], text + "x", text.upper(), key.hash, "ü", "\ud800"):
        assert known.find(wrong, NOW) is None


def test_a_key_may_what_its_scopes_say(books: Engine) -> None:
    """And nothing else."""
    wish = KeyWish("operator", "the rostrum", ("console",), None)
    key, _ = apikeys.create(books, "live", wish, NOW)
    assert [scope for scope in SCOPES if key.may(scope)] == ["console"]


def test_no_text_is_kept(books: Engine) -> None:
    """Rows hold hashes only, before and after a rotation; and no repr shows one."""
    key, first = apikeys.create(books, "live", SHOP, NOW)
    rotated = apikeys.rotate(books, "live", key.key_id, NOW)
    assert rotated is not None
    changed, second = rotated
    with reading(books) as connection:
        row = connection.execute(select(apikeys.api_keys)).one()
    for text in (first, second):
        assert text not in str(row)
        assert text.rpartition("_")[2] not in str(row)
    assert (row.hash, row.previous_hash) == (digest(second), digest(first))
    assert changed.hash not in repr(changed)
    assert digest(first) not in repr(changed)


def test_a_key_ends_when_it_ends(books: Engine) -> None:
    """To the millisecond, also for a ring that was made before."""
    _, text = apikeys.create(books, "live", replace(SHOP, expires_at=NOW + 10), NOW)
    known = ring(books)
    assert known.find(text, NOW + 9) is not None
    assert known.find(text, NOW + 10) is None
    assert ring(books, NOW + 10).find(text, NOW) is None


# ── Rotating and revoking ────────────────────────────────────────────────────────────────


def test_a_rotated_key_has_two_texts_for_a_day(books: Engine) -> None:
    """The old one to the millisecond, the new one from now on; one key."""
    key, old = apikeys.create(books, "live", SHOP, NOW)
    rotated = apikeys.rotate(books, "live", key.key_id, NOW + 5)
    assert rotated is not None
    changed, new = rotated
    assert (changed.key_id, changed.previous_until) == (key.key_id, NOW + 5 + DAY_MS)
    known = ring(books)
    assert known.find(old, NOW + 4 + DAY_MS) == known.find(new, NOW) == changed
    assert known.find(old, NOW + 5 + DAY_MS) is None
    assert known.find(new, NOW + 99 * DAY_MS) == changed


def test_rotated_twice_the_oldest_text_ends(books: Engine) -> None:
    """Two are live at once, and never three."""
    key, text = apikeys.create(books, "live", SHOP, NOW)
    texts = [text]
    for _ in range(2):
        rotated = apikeys.rotate(books, "live", key.key_id, NOW)
        assert rotated is not None
        texts.append(rotated[1])
    known = ring(books)
    assert [known.find(text, NOW) is not None for text in texts] == [False, True, True]


def test_rotations_at_once_leave_two_texts(books: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second replaces what the first one was handed, and not what was before."""
    key, first = apikeys.create(books, "live", SHOP, NOW)
    monkeypatch.setattr(apikeys, "_find", together(apikeys._find))
    rotated = at_once(2, lambda _: apikeys.rotate(books, "live", key.key_id, NOW))
    known = ring(books)
    assert known.find(first, NOW) is None
    assert all(one is not None and known.find(one[1], NOW) for one in rotated)


def test_a_revoked_key_is_dead_with_both_texts(books: Engine) -> None:
    """At the next look of every gateway, and no rotation brings it back."""
    key, old = apikeys.create(books, "live", SHOP, NOW)
    rotated = apikeys.rotate(books, "live", key.key_id, NOW)
    assert rotated is not None
    assert apikeys.revoke(books, "live", key.key_id, NOW + 7)
    assert not apikeys.revoke(books, "live", key.key_id, NOW + 8)
    known = ring(books)
    assert known.find(old, NOW) is None
    assert known.find(rotated[1], NOW) is None
    assert apikeys.rotate(books, "live", key.key_id, NOW + 9) is None
    [listed] = apikeys.list_keys(books, "live")
    assert listed.revoked_at == NOW + 7
    # Whoever holds the row before it reaches the ring gets no further either.
    assert KeyRing([listed]).find(rotated[1], NOW) is None


def test_a_key_is_of_its_mode_only(books: Engine) -> None:
    """The other mode neither sees nor touches it; nor does anybody an expired one."""
    key, text = apikeys.create(books, "live", SHOP, NOW)
    assert apikeys.list_keys(books, "test") == []
    assert apikeys.rotate(books, "test", key.key_id, NOW) is None
    assert not apikeys.revoke(books, "test", key.key_id, NOW)
    assert ring(books).find(text, NOW) == key
    late, _ = apikeys.create(books, "live", replace(SHOP, expires_at=NOW + 10), NOW + 1)
    assert apikeys.rotate(books, "live", late.key_id, NOW + 10) is None
    assert [one.key_id for one in apikeys.list_keys(books, "live")] == [key.key_id, late.key_id]


def test_the_last_use_is_noted(books: Engine) -> None:
    """The latest of all gateways' words; an unknown key is nobody's."""
    key, _ = apikeys.create(books, "live", SHOP, NOW)
    for at in (NOW + 5, NOW + 9, NOW + 7):
        apikeys.note_used(books, {key.key_id: at, "key_nobody": at})
    assert [one.last_used for one in apikeys.list_keys(books, "live")] == [NOW + 9]


# ── The keys of keys.json ────────────────────────────────────────────────────────────────


def kinds(books: Engine, keys: HouseKeys) -> list[str | None]:
    known = ring(books)
    texts = (keys.publishable_key, keys.secret_key, keys.operator_key)
    return [None if key is None else key.kind for key in (known.find(text, NOW) for text in texts)]


def test_the_houses_own_keys_are_keys(books: Engine, house: HouseKeys) -> None:
    """Entered at every start by every process, once; the operator's has all scopes."""
    at_once(4, lambda number: apikeys.enter_house_keys(books, house, NOW + number))
    assert kinds(books, house) == ["publishable", "secret", "operator"]
    operator = ring(books).find(house.operator_key, NOW)
    publishable = ring(books).find(house.publishable_key, NOW)
    assert operator is not None
    assert publishable is not None
    assert (operator.scopes, operator.mode) == (SCOPES, "test")
    assert publishable.scopes == ()
    assert len(apikeys.list_keys(books, "test")) == 3


def test_what_is_done_to_the_houses_keys_stands(books: Engine, house: HouseKeys) -> None:
    """keys.json still says the old text: no start brings it back."""
    apikeys.enter_house_keys(books, house, NOW)
    secret, operator = (
        ring(books).find(text, NOW) for text in (house.secret_key, house.operator_key)
    )
    assert secret is not None
    assert operator is not None
    rotated = apikeys.rotate(books, "test", secret.key_id, NOW)
    apikeys.revoke(books, "test", operator.key_id, NOW)
    apikeys.enter_house_keys(books, house, NOW + 2 * DAY_MS)
    known = ring(books, NOW + 2 * DAY_MS)
    assert rotated is not None
    assert known.find(rotated[1], NOW + 2 * DAY_MS) is not None
    assert known.find(house.secret_key, NOW + 2 * DAY_MS) is None
    assert known.find(house.operator_key, NOW + 2 * DAY_MS) is None


def test_keys_json_made_anew_ends_the_old_keys(books: Engine, tmp_path: Path) -> None:
    """Who throws the file away because it was seen wants its keys dead; others live on."""
    settings = read_gateway_settings({"DATA_DIR": str(tmp_path / "var"), "DEMO": "0"})
    before = load_or_create(settings, NOW)
    apikeys.enter_house_keys(books, before, NOW)
    _, shop = apikeys.create(books, "test", SHOP, NOW)
    (tmp_path / "var" / "keys.json").unlink()
    after = load_or_create(settings, NOW)
    apikeys.enter_house_keys(books, after, NOW + 1)
    assert kinds(books, before) == [None, None, None]
    assert kinds(books, after) == ["publishable", "secret", "operator"]
    assert ring(books).find(shop, NOW) is not None


def test_a_ring_knows_a_key_by_either_text() -> None:
    """Pure: out of rows alone, with no clock and no books."""
    key = ApiKey(
        "key_a", "secret", "live", "x", (), digest("new"), digest("old"), 20, 0, None, None, None
    )
    known = KeyRing([key])
    assert [known.find("new", at) for at in (0, 30)] == [key, key]
    assert [known.find("old", at) for at in (0, 19, 20)] == [key, key, None]
    assert KeyRing([]).find("new", 0) is None
