"""The house's keys and tokens: made once, kept safe, and not to be talked round."""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import keys
from gateway.settings import read_gateway_settings
from verifier.core.serials import is_ours

NOW = 1_767_225_600_000
DAY_MS = 24 * 3600 * 1000


def made(data_dir: Path, now_ms: int = NOW, **variables: str) -> keys.HouseKeys:
    settings = read_gateway_settings({"DATA_DIR": str(data_dir), **variables})
    return keys.load_or_create(settings, now_ms)


def written(data_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data_dir / "keys.json").read_text())
    return found


# The files.


def test_the_file_has_the_shape_that_was_promised(tmp_path: Path) -> None:
    """keys.json is a contract: its names and the forms of its values."""
    made(tmp_path)
    found = written(tmp_path)
    assert list(found) == [
        "publishable_key",
        "secret_key",
        "operator_key",
        "signing_key_id",
        "demo",
    ]
    assert re.fullmatch(r"pk_test_\w{24}", found["publishable_key"])
    assert re.fullmatch(r"sk_test_\w{40}", found["secret_key"])
    assert re.fullmatch(r"optr_test_\w{40}", found["operator_key"])
    demo = found["demo"]
    assert list(demo) == [
        "bidders",
        "console_url",
        "admin_url",
        "sale_id",
        "auction_ids",
        "serials",
    ]
    assert len(set(demo["serials"])) == 8
    assert all(is_ours(serial) for serial in demo["serials"])
    assert {serial[:9] for serial in demo["serials"]} == {"AUC260101"}


def test_a_demonstration_of_before_keeps_its_lots_without_objects(tmp_path: Path) -> None:
    """Its sale stands in the log already: no serial is made up for it afterwards."""
    made(tmp_path)
    file = tmp_path / "keys.json"
    found = written(tmp_path)
    found["demo"]["serials"] = []
    file.write_text(json.dumps(found))
    house = made(tmp_path, NOW + 1)
    assert house.demo is not None
    assert house.demo.serials == ()


def test_a_demonstration_of_before_gets_the_links_of_the_house(tmp_path: Path) -> None:
    """An older keys.json has none; once made they stay, wherever the house is found."""
    made(tmp_path)
    file = tmp_path / "keys.json"
    found = written(tmp_path)
    del found["demo"]["console_url"], found["demo"]["admin_url"]
    file.write_text(json.dumps(found))
    first = made(tmp_path, NOW + 1).demo
    moved = made(tmp_path, NOW + 2, PUBLIC_URL="https://sale.example.test").demo
    assert first is not None
    assert moved is not None
    assert first.console_url != first.admin_url
    for before, now in ((first.console_url, moved.console_url), (first.admin_url, moved.admin_url)):
        code = before.removeprefix("http://127.0.0.1:8000/sign-in/")
        assert re.fullmatch(r"\w{32}", code)
        assert now == f"https://sale.example.test/sign-in/{code}"
    again = made(tmp_path).demo
    assert again is not None
    assert (again.console_url, again.admin_url) == (first.console_url, first.admin_url)


def test_the_demonstration_has_its_people(tmp_path: Path) -> None:
    """At least twenty invented bidders, told apart, each with a token and a link that hold."""
    house = made(tmp_path, PUBLIC_URL="https://sale.example.test")
    people = written(tmp_path)["demo"]["bidders"]
    assert len(people) >= 20
    for field in ("name", "email", "consumerId", "paddle", "token", "refreshToken", "url"):
        assert len({person[field] for person in people}) == len(people), field
    assert [person["paddle"] for person in people] == list(range(101, 101 + len(people)))
    for person in people:
        assert person["email"].endswith("@example.test")
        assert person["email"].isascii()
        assert person["consumerId"].startswith("cons_")
        assert person["url"].startswith("https://sale.example.test/sign-in/")
        identity = keys.verify_access_token(house, person["token"], NOW + 30 * DAY_MS - 1)
        assert identity.consumer_id == person["consumerId"]
        assert (identity.mode, identity.guest) == ("test", False)
        refresh = keys.read_refresh_token(house, person["refreshToken"])
        assert refresh == (identity.session_id, 0)


def test_lots_belong_to_their_sale_by_name(tmp_path: Path) -> None:
    """The sale's part of an auction id decides its shard, so all lots share it."""
    demo = made(tmp_path).demo
    assert demo is not None
    tail = demo.sale_id.removeprefix("seq_")
    readable = "[bcdfghjkmnpqrstvwxyz2-9]"
    assert re.fullmatch(readable + "{10}", tail)
    assert len(set(demo.auction_ids)) == 14
    for auction in demo.auction_ids:
        assert re.fullmatch(f"auction_{tail}_{readable}{{4}}", auction)


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    """keys.json, the master key and the sealed signing key have mode 0600; nothing else lies
    about."""
    made(tmp_path)
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert files.pop("locks") == 0o700
    assert files == {"keys.json": 0o600, "master.key": 0o600, "signing-key.json": 0o600}


def test_the_signing_key_lies_sealed(tmp_path: Path) -> None:
    """Its bytes are in no file in the clear, in none of the usual ways to write them."""
    raw = made(tmp_path).private_key.private_bytes_raw()
    spellings = (raw, base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode())
    for name in ("keys.json", "signing-key.json", "master.key"):
        content = (tmp_path / name).read_bytes()
        assert not any(spelling.rstrip(b"=") in content for spelling in spellings)
    assert len(base64.b64decode((tmp_path / "master.key").read_text())) == 32


def test_nothing_secret_is_in_what_a_log_would_print(tmp_path: Path) -> None:
    """repr of the keys shows the publishable key, and nothing that opens a door."""
    house = made(tmp_path)
    shown = repr(house)
    assert house.publishable_key in shown
    assert house.secret_key not in shown
    assert house.operator_key not in shown
    assert house.demo is not None
    derived_keys = (house.vault_key, house.refresh_key, house.otp_pepper, house.payment_key)
    for derived in (*derived_keys, house.salt, house.verifier_key):
        assert repr(derived)[2:-1] not in shown
    for bidder in house.demo.bidders:
        assert bidder.token not in shown
        assert bidder.refresh_token not in shown
        assert bidder.url not in shown


def test_a_second_start_finds_the_same_keys(tmp_path: Path) -> None:
    """Nothing is made anew, and the file is not even written again."""
    made(tmp_path)
    first, changed = written(tmp_path), (tmp_path / "keys.json").stat().st_mtime_ns
    house = made(tmp_path, NOW + 1000)
    assert written(tmp_path) == first
    assert (tmp_path / "keys.json").stat().st_mtime_ns == changed
    assert house.signing_key_id == first["signing_key_id"]


def publishable(data_dir: str) -> tuple[str, str, str]:
    house = made(Path(data_dir))
    return house.publishable_key, house.signing_key_id, str(house.demo)


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    """Gateway, clerk and engine of a first start come to the same keys."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        found = set(pool.map(publishable, [str(tmp_path)] * 8))
    assert len(found) == 1


def test_the_demonstration_comes_and_goes(tmp_path: Path) -> None:
    """DEMO switched on later adds people to the same keys; switched off, nobody sees them."""
    plain = made(tmp_path, DEMO="0")
    assert plain.demo is None
    assert "demo" not in written(tmp_path)
    house = made(tmp_path, DEMO="1")
    assert house.demo is not None
    assert house.secret_key == plain.secret_key
    assert house.signing_key_id == plain.signing_key_id
    assert made(tmp_path, DEMO="0").demo is None
    assert made(tmp_path, DEMO="1").demo == house.demo


@pytest.mark.parametrize(
    ("later_ms", "variables"),
    [(31 * DAY_MS, {}), (0, {"PORT": "8123"}), (0, {"PUBLIC_URL": "https://sale.test"})],
)
def test_tokens_and_links_that_hold_no_more_are_renewed(
    tmp_path: Path, later_ms: int, variables: dict[str, str]
) -> None:
    """After thirty days, or at another address, the same people get new tokens and links."""
    before = made(tmp_path).demo
    house = made(tmp_path, NOW + later_ms, **variables)
    assert before is not None
    assert house.demo is not None
    for old, new in zip(before.bidders, house.demo.bidders, strict=True):
        assert (old.consumer_id, old.paddle) == (new.consumer_id, new.paddle)
        assert new.url == f"{house.issuer}/sign-in/{old.url.rpartition('/')[2]}"
        identity = keys.verify_access_token(house, new.token, NOW + later_ms)
        assert keys.read_refresh_token(house, new.refresh_token) == (identity.session_id, 0)
        assert new.refresh_token != old.refresh_token  # which may have been used since


@pytest.mark.parametrize("refresh", ["", "rt_bcdfgh", "rt_another_0_" + 64 * "0"])
def test_a_refresh_token_of_an_older_kind_is_replaced(tmp_path: Path, refresh: str) -> None:
    """keys.json of an earlier version: the bidder gets a pair that belongs together."""
    made(tmp_path)
    found = written(tmp_path)
    found["demo"]["bidders"][3]["refreshToken"] = refresh
    (tmp_path / "keys.json").write_text(json.dumps(found))
    house = made(tmp_path)
    assert house.demo is not None
    bidder = house.demo.bidders[3]
    identity = keys.verify_access_token(house, bidder.token, NOW)
    assert keys.read_refresh_token(house, bidder.refresh_token) == (identity.session_id, 0)
    assert bidder.token != found["demo"]["bidders"][3]["token"]
    assert house.demo.bidders[2].token == found["demo"]["bidders"][2]["token"]


def test_a_start_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """A crash before keys.json was in place leaves a start that goes on with the same key."""
    first = made(tmp_path)
    (tmp_path / "keys.json").rename(tmp_path / "keys.json.new")
    second = made(tmp_path)
    assert second.signing_key_id == first.signing_key_id
    assert written(tmp_path)["publishable_key"] == second.publishable_key


def test_a_lost_master_key_is_not_replaced(tmp_path: Path) -> None:
    """A new one would open nothing; the line says which file is missing."""
    made(tmp_path)
    (tmp_path / "master.key").unlink()
    with pytest.raises(keys.BadKeys, match=r"master\.key, which opens it, is missing"):
        made(tmp_path)
    assert not (tmp_path / "master.key").exists()


def test_a_wrong_master_key_opens_nothing(tmp_path: Path) -> None:
    """A key of another house is refused before anything is signed with anything."""
    made(tmp_path)
    (tmp_path / "master.key").write_bytes(base64.b64encode(bytes(32)))
    with pytest.raises(keys.BadKeys, match="cannot be opened with this master key"):
        made(tmp_path)


@pytest.mark.parametrize("content", ["", "c2hvcnQ=", "nonsense!"])
def test_a_master_key_that_is_none(tmp_path: Path, content: str) -> None:
    """What is not 32 bytes in base64 is named by the variable that leads to it."""
    (tmp_path / "m").write_text(content)
    with pytest.raises(keys.BadKeys, match=r"MASTER_KEY_FILE=.*(32 bytes|be read)"):
        made(tmp_path / "var", MASTER_KEY_FILE=str(tmp_path / "m"))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("keys.json", "not json"),
        ("keys.json", "[]"),
        ("keys.json", '{"demo": {"bidders": [{}]}}'),
        ("keys.json", '{"demo": {"bidders": 7}}'),
        ("signing-key.json", "{}"),
        ("signing-key.json", '{"kid": 1, "nonce": "", "sealed": ""}'),
    ],
)
def test_files_somebody_has_edited(tmp_path: Path, file: str, content: str) -> None:
    """A damaged file is refused in one line that names it, and left as it is."""
    made(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(keys.BadKeys, match=re.escape(file)):
        made(tmp_path)
    assert (tmp_path / file).read_text() == content


def test_the_master_key_may_lie_elsewhere(tmp_path: Path) -> None:
    """MASTER_KEY_FILE, a mounted secret perhaps, is used and DATA_DIR holds none."""
    house = made(tmp_path / "var", MASTER_KEY_FILE=str(tmp_path / "secrets" / "m"))
    assert not (tmp_path / "var" / "master.key").exists()
    again = made(tmp_path / "var", MASTER_KEY_FILE=str(tmp_path / "secrets" / "m"))
    assert again.signing_key_id == house.signing_key_id


def test_each_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    """All derived from the master key: the same after every start, and different in each house."""

    def derived(data_dir: Path) -> list[bytes]:
        house = made(data_dir)
        return [
            house.vault_key,
            house.refresh_key,
            house.otp_pepper,
            house.payment_key,
            house.salt,
            house.verifier_key,
        ]

    first, again = derived(tmp_path / "a"), derived(tmp_path / "a")
    other = derived(tmp_path / "b")
    assert first == again
    assert len({*first, *other}) == 12
    assert {len(key) for key in first} == {32}


# Access tokens.


def test_a_token_says_who_and_until_when(tmp_path: Path) -> None:
    """Header and claims as the API promises them."""
    house = made(tmp_path)
    token = keys.mint_access_token(house, "cons_a", 3600, NOW, session_id="ses_1", mode="live")
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": house.signing_key_id}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {
        "consumerId": "cons_a",
        "organizationId": "org_house",
        "sessionId": "ses_1",
        "mode": "live",
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 3600,
        "iss": "http://127.0.0.1:8000",
        "aud": "fairwarning",
    }
    identity = keys.verify_access_token(house, token, NOW)
    assert identity == keys.Identity("cons_a", "ses_1", NOW + 3_600_000, "live")


def test_a_guest_is_known_by_the_id(tmp_path: Path) -> None:
    """Nobody else is one."""
    house = made(tmp_path)
    tokens = [keys.mint_access_token(house, who, 60, NOW) for who in ("guest_a", "cons_guest_a")]
    assert [keys.verify_access_token(house, token, NOW).guest for token in tokens] == [True, False]


def test_every_sign_in_is_a_session_of_its_own(tmp_path: Path) -> None:
    """Without a session named, a token begins one."""
    house = made(tmp_path)
    tokens = [keys.mint_access_token(house, "cons_a", 60, NOW) for _ in range(2)]
    first, second = (keys.verify_access_token(house, token, NOW) for token in tokens)
    assert first.session_id != second.session_id


def test_a_token_ends_when_it_ends(tmp_path: Path) -> None:
    """Good to the last millisecond before ``exp``, by the time that was handed in."""
    house = made(tmp_path)
    token = keys.mint_access_token(house, "cons_a", 60, NOW)
    keys.verify_access_token(house, token, NOW + 59_999)
    with pytest.raises(keys.BadToken, match="expired"):
        keys.verify_access_token(house, token, NOW + 60_000)


def forged(
    house: keys.HouseKeys,
    *,
    key: Any = None,
    algorithm: str = "EdDSA",
    header: dict[str, Any] | None = None,
    without: str = "",
    **claims: Any,
) -> str:
    whole = {
        "consumerId": "cons_a",
        "organizationId": "org_house",
        "sessionId": "ses_1",
        "mode": "test",
        "iat": NOW // 1000,
        "exp": NOW // 1000 + 3600,
        "iss": house.issuer,
        "aud": "fairwarning",
        **claims,
    }
    whole.pop(without, None)
    headers = {"typ": "at+jwt", "kid": house.signing_key_id, **(header or {})}
    return jwt.encode(whole, key or house.private_key, algorithm=algorithm, headers=headers)


def test_the_forger_starts_from_a_good_token(tmp_path: Path) -> None:
    """What the next tests change is all that is wrong with their tokens."""
    house = made(tmp_path)
    assert keys.verify_access_token(house, forged(house), NOW).consumer_id == "cons_a"


@pytest.mark.parametrize(
    "wrong",
    [
        {"header": {"typ": "payment+jwt"}},
        {"header": {"typ": "JWT"}},
        {"header": {"kid": "another"}},
        {"iss": "http://elsewhere.test"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"organizationId": "org_other"},
        {"consumerId": 7},
        {"consumerId": None},
        {"sessionId": ["ses_1"]},
        {"mode": "both"},
        {"mode": None},
        {"without": "mode"},
        {"exp": "tomorrow"},
        {"exp": NOW / 1000 + 3600.5},
        {"exp": None},
        {"exp": -1},
        {"without": "exp"},
        {"without": "iat"},
        {"without": "iss"},
        {"without": "aud"},
        {"without": "consumerId"},
        {"without": "sessionId"},
        {"without": "organizationId"},
        pytest.param({"key": Ed25519PrivateKey.generate()}, id="another key"),
    ],
    ids=str,
)
def test_a_token_that_is_not_quite_ours(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Another kind, house, key or shape: refused."""
    house = made(tmp_path)
    with pytest.raises(keys.BadToken):
        keys.verify_access_token(house, forged(house, **wrong), NOW)


def test_the_public_key_is_no_password(tmp_path: Path) -> None:
    """HS256 with our public key as its secret, the oldest trick, is refused; so is "none"."""
    house = made(tmp_path)
    public = house.public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    with pytest.raises(keys.BadToken):
        keys.verify_access_token(house, forged(house, key=public, algorithm="HS256"), NOW)
    header, claims, _ = forged(house).split(".")
    none = base64.urlsafe_b64encode(
        json.dumps({"alg": "none", "typ": "at+jwt", "kid": house.signing_key_id}).encode()
    ).rstrip(b"=")
    for token in (f"{none.decode()}.{claims}.", f"{header}.{claims}."):
        with pytest.raises(keys.BadToken):
            keys.verify_access_token(house, token, NOW)


def test_one_changed_character_is_noticed(tmp_path: Path) -> None:
    """Wherever a token is touched, it is no token any more, and no other error either."""
    house = made(tmp_path)
    token = forged(house)
    for place in range(0, len(token), 7):
        changed = "A" if token[place] != "A" else "B"
        with pytest.raises(keys.BadToken):
            keys.verify_access_token(house, token[:place] + changed + token[place + 1 :], NOW)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "e30.e30.e30", "ü", "\ud800", "x" * 9999])
def test_what_is_no_token_at_all(tmp_path: Path, text: str) -> None:
    """Any text may come in; the complaint does not repeat it."""
    house = made(tmp_path)
    with pytest.raises(keys.BadToken) as refused:
        keys.verify_access_token(house, text, NOW)
    assert len(text) < 5 or text not in str(refused.value)


def test_the_public_keys_are_published(tmp_path: Path) -> None:
    """Whoever has the set, and nothing else of ours, can check a token (RFC 7517, RFC 8037)."""
    house = made(tmp_path)
    published = keys.jwks(house)
    [key] = published["keys"]
    assert set(key) == {"kty", "crv", "x", "alg", "use", "kid"}  # and no "d"
    assert key["kid"] == house.signing_key_id
    token = keys.mint_access_token(house, "cons_a", 60, NOW)
    checker = jwt.PyJWKSet.from_dict(published)[key["kid"]]
    claims = jwt.decode(
        token, checker.key, algorithms=["EdDSA"], audience="fairwarning",
        options={"verify_exp": False, "verify_iat": False},
    )  # fmt: skip
    assert claims["consumerId"] == "cons_a"


# Refresh tokens.


def test_a_refresh_token_says_session_and_generation(tmp_path: Path) -> None:
    """Any gateway makes the same text, and reads it back."""
    house = made(tmp_path)
    session = keys.new_session_id()
    for generation in (0, 1, 7, 10, 123_456_789):
        text = keys.refresh_token(house, session, generation)
        assert text == keys.refresh_token(made(tmp_path), session, generation)
        assert text.startswith("rt_")
        assert keys.read_refresh_token(house, text) == (session, generation)


def test_a_refresh_token_cannot_be_written_by_others(tmp_path: Path) -> None:
    """Another generation, session, house or spelling: nothing, and no error either."""
    house, other = made(tmp_path / "a"), made(tmp_path / "b")
    text = keys.refresh_token(house, "ses_abc", 1)
    _, _, _, mac = text.split("_")
    for wrong in (
        "",
        "rt_",
        f"rt_abc_2_{mac}",
        f"rt_abd_1_{mac}",
        f"rt_abc_01_{mac}",
        f"rt_abc_\u0661_{mac}",
        f"rt_abc_1_{mac.upper()}",
        f"rt_abc_1_{mac}\n",
        f"rt_abc_1_{mac[:-1]}ü",
        text + "0",
        text[:-1],
        "\ud800",
        keys.refresh_token(other, "ses_abc", 1),
    ):
        assert keys.read_refresh_token(house, wrong) is None, wrong


def test_no_kind_of_token_is_taken_for_another(tmp_path: Path) -> None:
    """Signed by us, of the right shape, and still only what its type says."""
    house = made(tmp_path)
    access = keys.mint_access_token(house, "cons_a", 60, NOW)
    claims = jwt.decode(access, options={"verify_signature": False})
    assert keys.read_signed(house, "at+jwt", access) == claims
    with pytest.raises(keys.BadToken, match="payment"):
        keys.read_signed(house, "payment+jwt", access)
    payment = keys.sign(house, "payment+jwt", claims)
    assert keys.read_signed(house, "payment+jwt", payment) == claims
    with pytest.raises(keys.BadToken, match=r"at\+jwt"):
        keys.verify_access_token(house, payment, NOW)
