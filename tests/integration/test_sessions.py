"""Sessions as the contract words them: signing in, the pair of tokens, and how it all ends."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from engine.core.messages import CloseLot
from gateway.keys import random_name
from tests.integration.live import connected, signed_in
from tests.integration.open_house import API, House, Json, Person, house_in

SETTINGS = {"DEMO": "1", "HTTP_RATE": "0", "KEY_RATE": "0", "OTP_RATE": "0"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PAIR = {"session", "accessToken", "refreshToken"}


def post(house: House, path: str, body: Json | None = None, token: str = "") -> httpx.Response:
    """A call of a page, with the token of a session or without one."""
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return house.web.post(API + path, json=body, headers={**house.headers(), **bearer})


def pair_of(answer: httpx.Response, kind: str) -> Json:
    """The answer of every way to sign in, of exactly the contract's form."""
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    assert found.keys() == PAIR
    assert found["session"].keys() - {"email"} == {"type", "consumerId", "expiresAt"}
    assert found["session"]["type"] == kind
    assert INSTANT.fullmatch(found["session"]["expiresAt"])
    assert isinstance(found["accessToken"], str)
    assert isinstance(found["refreshToken"], str)
    return found


def person_of(pair: Json) -> Person:
    return Person(pair["session"]["consumerId"], pair["accessToken"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["x-request-id"]
    assert answer.headers["content-type"].startswith("application/json")
    return answer.status_code, answer.json()["error"]


def an_address() -> str:
    return f"{random_name(12)}@example.test"


async def mailed_code(house: House, address: str, count: int = 1) -> str:
    """The code in the newest of the *count* mails to this address."""
    deadline = time.monotonic() + 10
    while True:
        found = []
        for file in sorted((house.data_dir / "mail").glob("*.eml")):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            if address in mail["To"]:
                found.append(mail.get_content())
        if len(found) >= count:
            code = re.search(r"\b\d{6}\b", found[-1])
            assert code is not None, found[-1]
            return code[0]
        assert time.monotonic() < deadline, f"{len(found)} mails to {address}"
        await asyncio.sleep(0.02)


async def with_code(house: House, address: str, count: int = 1) -> Json:
    """Sign in by mail."""
    assert post(house, "/auth/otp/request", {"email": address}).status_code == 202
    code = await mailed_code(house, address, count)
    return pair_of(
        post(house, "/auth/otp/verify", {"email": address, "code": code}), "authenticated"
    )


def is_in(house: House, token: str) -> bool:
    """Is this token taken?"""
    answer = house.web.get(API + "/me", headers=house.headers(Person("", token)))
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def until_out(house: House, token: str, within_s: float = 2.0) -> None:
    deadline = time.monotonic() + within_s
    while is_in(house, token):
        assert time.monotonic() < deadline, "a revoked session's token is still taken"
        await asyncio.sleep(0.05)


# ── Guests ───────────────────────────────────────────────────────────────────────────────


async def test_a_guest(house: House) -> None:
    """Each one is new; they may look, and bid only where the sale takes guests."""
    first, second = (pair_of(post(house, "/auth/guest"), "guest") for _ in range(2))
    assert "email" not in first["session"]
    assert first["session"]["consumerId"] != second["session"]["consumerId"]
    guest = person_of(first)
    closed = await house.lot(await house.sale(supports_guest=False))
    answer = house.bid(closed, guest, {"amount": 100})
    assert refusal(answer) == (403, "Registration required")
    entered = post(house, f"/auctions/{closed}/enter", {}, guest.token)
    assert (entered.status_code, entered.json()["code"]) == (409, "guest")
    open_to_all = await house.lot(await house.sale(supports_guest=True))
    assert house.bid(open_to_all, guest, {"amount": 100}).status_code == 200


def test_a_key_is_required(house: House) -> None:
    """No session without a publishable key; and what needs a session says 401 without one."""
    for path in ("guest", "otp/request", "otp/verify", "external/exchange", "refresh", "logout"):
        answer = house.web.post(f"{API}/auth/{path}", json={})
        assert refusal(answer) == (401, "Authentication required"), path
    for path in ("/auth/logout", "/ws-tickets"):
        assert refusal(post(house, path)) == (401, "Authentication required")
    for method, path in (
        ("GET", "/me"),
        ("DELETE", "/me"),
        ("GET", "/me/notices"),
        ("PUT", "/me/notices"),
    ):
        answer = house.web.request(method, API + path, headers=house.headers(), json={})
        assert refusal(answer) == (401, "Authentication required"), (method, path)


# ── Codes by mail ────────────────────────────────────────────────────────────────────────


async def test_a_code_signs_in_once(house: House) -> None:
    """A new address is a new person, who is the same again next time, however it is written."""
    address = an_address()
    assert post(house, "/auth/otp/request", {"email": address}).status_code == 202
    code = await mailed_code(house, address)
    body = {"email": address, "code": code}
    pair = pair_of(post(house, "/auth/otp/verify", body), "authenticated")
    assert pair["session"]["email"] == address
    assert refusal(post(house, "/auth/otp/verify", body)) == (400, "otp_invalid")
    assert post(house, "/auth/otp/request", {"email": address.upper()}).status_code == 202
    again = await mailed_code(house, address.upper())
    other = post(house, "/auth/otp/verify", {"email": address.upper(), "code": again})
    assert (
        pair_of(other, "authenticated")["session"]["consumerId"] == (pair["session"]["consumerId"])
    )


async def test_only_the_newest_code_is_valid(house: House) -> None:
    """And five guesses end it, the right one after them included."""
    address = an_address()
    codes = []
    for count in (1, 2):
        assert post(house, "/auth/otp/request", {"email": address}).status_code == 202
        codes.append(await mailed_code(house, address, count))
    if codes[0] != codes[1]:
        old = post(house, "/auth/otp/verify", {"email": address, "code": codes[0]})
        assert refusal(old) == (400, "otp_invalid")
    wrong = [f"{(int(codes[1]) + step) % 10**6:06d}" for step in range(1, 6)]
    for guess in wrong:
        answer = post(house, "/auth/otp/verify", {"email": address, "code": guess})
        assert refusal(answer) == (400, "otp_invalid")
    late = post(house, "/auth/otp/verify", {"email": address, "code": codes[1]})
    assert refusal(late) == (400, "otp_invalid")


def test_addresses_that_are_none(house: House) -> None:
    """400 with the field; a phone number is no channel of this house."""
    for call, more in (("request", {}), ("verify", {"code": "123456"})):
        phone = post(house, f"/auth/otp/{call}", {"phone": "+49 30 123456", **more})
        assert refusal(phone) == (400, "otp_channel_unavailable")
        for body in (
            {},
            {"email": ""},
            {"email": "nobody"},
            {"email": "a@b@c.test"},
            {"email": "a b@c.test"},
            {"email": "a@c.test\r\nBcc: x@y.test"},
            {"email": 7},
            {"email": "a@c.test", "phone": "+4930123456"},
            {"email": "a@c.test", "mobile": "1"},
            {"email": "x" * 250 + "@c.test"},
        ):
            answer = post(house, f"/auth/otp/{call}", {**body, **more})
            assert refusal(answer) == (400, "Invalid request"), body
    never = post(house, "/auth/otp/verify", {"email": an_address(), "code": "123456"})
    assert refusal(never) == (400, "otp_invalid")


async def test_known_and_unknown_addresses_are_answered_alike(house: House) -> None:
    """The same status, body and headers, in the same time: nobody learns who is a customer."""
    known = an_address()
    await with_code(house, known)
    spent: dict[bool, list[float]] = {True: [], False: []}
    said = set()
    for turn in range(30):
        for is_known in (True, False) if turn % 2 else (False, True):
            body = {"email": known if is_known else an_address()}
            started = time.perf_counter()
            answer = post(house, "/auth/otp/request", body)
            spent[is_known].append(time.perf_counter() - started)
            said.add((answer.status_code, answer.text, tuple(sorted(answer.headers.keys()))))
    assert len(said) == 1
    assert next(iter(said))[0] == 202
    medians = [statistics.median(times) for times in spent.values()]
    assert max(medians) < 1.5 * min(medians) + 0.003


async def test_codes_are_not_sent_without_end(tmp_path: Path) -> None:
    """Three a mail address, ten an address of the network: then 429, with when to come back."""
    with house_in(tmp_path, HTTP_RATE="0") as house:
        address = an_address()
        for left in ("2", "1", "0"):
            answer = post(house, "/auth/otp/request", {"email": address})
            assert answer.status_code == 202
            assert answer.headers["x-ratelimit-limit"] == "3"
            assert answer.headers["x-ratelimit-remaining"] == left
        for written in (address, address.upper()):
            limited = post(house, "/auth/otp/request", {"email": written})
            assert refusal(limited) == (429, "Rate limit exceeded")
            assert limited.json()["retryAfter"] == int(limited.headers["retry-after"]) > 1
            assert limited.headers["x-ratelimit-limit"] == "3"
            assert limited.headers["x-ratelimit-remaining"] == "0"
        answers = [
            post(house, "/auth/otp/request", {"email": an_address()}).status_code for _ in range(6)
        ]
        assert answers == [202] * 5 + [429]
        assert len(list((house.data_dir / "mail").glob("*.eml"))) == 8


# ── An outside sign-in ───────────────────────────────────────────────────────────────────


def authorize(house: House, **more: Any) -> httpx.Response:
    body = {"provider": "shop", "issuer": "https://id.test", "subject": "u-1", **more}
    secret = {"Authorization": f"Bearer {house.keys.secret_key}"}
    return house.web.post(f"{API}/auth/external/authorize", json=body, headers=secret)


def test_an_outside_sign_in(house: House) -> None:
    """The shop's server gets a code for whom it knows; the page exchanges it, once."""
    code = authorize(house)
    assert code.status_code == 200
    assert code.json().keys() == {"exchangeCode", "expiresAt"}
    ends = datetime.fromisoformat(code.json()["expiresAt"].replace("Z", "+00:00"))
    assert 50 < ends.timestamp() - time.time() <= 61
    body = {"exchangeCode": code.json()["exchangeCode"]}
    first = pair_of(post(house, "/auth/external/exchange", body), "authenticated")
    for bad in (body, {"exchangeCode": "xc_nobody"}, {"exchangeCode": ""}):
        answer = post(house, "/auth/external/exchange", bad)
        assert refusal(answer) == (400, "exchange_code_invalid")
    assert post(house, "/auth/external/exchange", {}).status_code == 400
    again = {"exchangeCode": authorize(house).json()["exchangeCode"]}
    second = pair_of(post(house, "/auth/external/exchange", again), "authenticated")
    assert second["session"]["consumerId"] == first["session"]["consumerId"]
    other = {"exchangeCode": authorize(house, subject="u-2").json()["exchangeCode"]}
    third = pair_of(post(house, "/auth/external/exchange", other), "authenticated")
    assert third["session"]["consumerId"] != first["session"]["consumerId"]


async def test_an_outside_address_counts_where_it_was_verified(house: House) -> None:
    """Then it is the person of that address; anybody's claim alone is not."""
    address = an_address()
    mine = await with_code(house, address)
    for verified in (True, False):
        claims = {"email": address, "email_verified": verified}
        code = authorize(house, subject=f"v-{verified}", claims=claims).json()["exchangeCode"]
        pair = pair_of(
            post(house, "/auth/external/exchange", {"exchangeCode": code}), "authenticated"
        )
        same = pair["session"]["consumerId"] == mine["session"]["consumerId"]
        assert same is verified


def test_authorizing_is_the_houses(house: House) -> None:
    """A page's key, a consumer's token or none at all is refused; and what makes no sense."""
    path, body = f"{API}/auth/external/authorize", {"provider": "a", "issuer": "b", "subject": "c"}
    guest = pair_of(post(house, "/auth/guest"), "guest")
    for headers in (
        {},
        house.headers(),
        house.headers(person_of(guest)),
        {"Authorization": f"Bearer {house.keys.publishable_key}"},
    ):
        answer = house.web.post(path, json=body, headers=headers)
        assert refusal(answer) == (401, "Authentication required")
    for more in ({"provider": ""}, {"subject": "x" * 1_000}, {"claims": 7}, {"extra": 1},
                 {"claims": {"email_verified": True, "email": "x"}}, {"issuer": "a\nb"}):  # fmt: skip
        assert authorize(house, **more).status_code == 400, more


# ── The pair ─────────────────────────────────────────────────────────────────────────────


async def test_a_refresh_token_works_once(house: House) -> None:
    """The one just replaced gets the same new pair; an older one ends the session."""
    first = await with_code(house, an_address())

    def refreshed(pair: Json) -> httpx.Response:
        return post(house, "/auth/refresh", {"refreshToken": pair["refreshToken"]})

    second = pair_of(refreshed(first), "authenticated")
    assert second["refreshToken"] != first["refreshToken"]
    assert second["session"]["consumerId"] == first["session"]["consumerId"]
    assert second["session"]["email"] == first["session"]["email"]
    assert refreshed(first).json() == second  # its answer got lost
    third = pair_of(refreshed(second), "authenticated")
    assert is_in(house, third["accessToken"])
    assert refusal(refreshed(first)) == (401, "invalid refresh token")
    await until_out(house, third["accessToken"])
    assert refusal(refreshed(third)) == (401, "invalid refresh token")
    for text in ("", "rt_nobody", third["accessToken"], "x" * 399):
        answer = post(house, "/auth/refresh", {"refreshToken": text})
        assert refusal(answer) == (401, "invalid refresh token")
    assert refusal(post(house, "/auth/refresh", {})) == (400, "Invalid request")


async def test_logging_out(house: House) -> None:
    """204; the token is refused at once, nothing refreshes it, and its sockets are closed;
    another session of the same person goes on."""
    address = an_address()
    pair, other = await with_code(house, address), await with_code(house, address, 2)
    async with signed_in(house, person_of(pair)) as live, signed_in(house, person_of(other)) as on:
        answer = post(house, "/auth/logout", token=pair["accessToken"])
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["x-request-id"]
        assert not is_in(house, pair["accessToken"])  # here at once, elsewhere within two seconds
        assert (await live.closed())[0] == 4401
        await on.send(type="ping", t=1)
        assert (await on.next())["type"] == "pong"
    assert is_in(house, other["accessToken"])
    refreshing = post(house, "/auth/refresh", {"refreshToken": pair["refreshToken"]})
    assert refusal(refreshing) == (401, "invalid refresh token")
    again = post(house, "/auth/logout", token=pair["accessToken"])
    assert refusal(again) == (401, "Authentication required")


async def test_a_ticket_opens_one_socket(house: House) -> None:
    """Instead of the token, once; a bidder's, with everything that is theirs."""
    pair = await with_code(house, an_address())
    answer = post(house, "/ws-tickets", token=pair["accessToken"])
    assert answer.status_code == 200
    assert answer.json().keys() == {"ticket", "expiresAt"}
    ends = datetime.fromisoformat(answer.json()["expiresAt"].replace("Z", "+00:00"))
    assert 20 < ends.timestamp() - time.time() <= 31
    hello = {"key": house.keys.publishable_key, "ticket": answer.json()["ticket"]}
    async with connected(house) as live:
        await live.send(type="hello", **hello)
        welcome = await live.next()
        assert (welcome["type"], welcome["role"]) == ("welcome", "bidder")
        assert welcome["consumerId"] == pair["session"]["consumerId"]
    async with connected(house) as live:
        await live.send(type="hello", **hello)
        assert (await live.closed())[0] == 4401


def test_the_public_keys_check_the_tokens(house: House) -> None:
    """Everybody may fetch them; the claims of an access token are the contract's."""
    answer = house.web.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]
    keys = jwt.PyJWKSet.from_dict(answer.json())
    pair = pair_of(post(house, "/auth/guest"), "guest")
    header = jwt.get_unverified_header(pair["accessToken"])
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    [key] = [key for key in keys.keys if key.key_id == header["kid"]]
    claims = jwt.decode(pair["accessToken"], key, ["EdDSA"], audience="fairwarning")
    named = {"consumerId", "organizationId", "sessionId", "iat", "exp", "iss", "aud"}
    assert named <= claims.keys()
    assert claims["iss"] == house.url
    assert claims["exp"] - claims["iat"] == 3600
    for private in ("d", "k", "p"):
        assert private not in answer.json()["keys"][0]


async def test_a_payment_token_is_no_access_token(house: House) -> None:
    """Nor is a refresh token: each is taken for what it is, and for nothing else."""
    auction_id, pair = await house.lot(), await with_code(house, an_address())
    ada = person_of(pair)
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    await house.wish(CloseLot(auction_id))
    await house.until_status(auction_id, "SETTLED")
    status = house.get(f"/auctions/{auction_id}/status", ada).json()
    assert status["status"] == "WON"
    payment = status["paymentToken"]
    assert jwt.get_unverified_header(payment)["typ"] == "payment+jwt"
    for token in (payment, pair["refreshToken"]):
        assert not is_in(house, token)
    assert refusal(post(house, "/auth/refresh", {"refreshToken": payment}))[0] == 401


# ── The caller's own ─────────────────────────────────────────────────────────────────────


async def test_what_the_house_knows_of_somebody(house: House) -> None:
    """Person, sessions, registrations, bids, wins and payments; of nobody else."""
    address = an_address()
    pair = await with_code(house, address)
    ada, bram = person_of(pair), house.person()
    sale_id = await house.sale()
    won, lost = await house.lot(sale_id), await house.lot(sale_id)
    assert house.bid(won, ada, {"amount": 300, "max": True}).status_code == 200
    assert house.bid(won, bram, {"amount": 200}).status_code == 200
    assert house.bid(lost, bram, {"amount": 200}).status_code == 200
    await house.wish(CloseLot(won))
    await house.until_status(won, "SETTLED")
    answer = house.get("/me", ada)
    assert answer.status_code == 200
    known = answer.json()
    assert known.keys() == {
        "consumerId", "person", "registrations", "bids", "wins", "payments", "balances",
    }  # fmt: skip
    assert known["person"]["email"] == address
    assert len(known["person"]["sessions"]) == 1
    assert [seat["sequenceId"] for seat in known["registrations"]] == [sale_id]
    [bid] = known["bids"]
    assert (bid["auctionId"], bid["amount"], bid["currencyCode"]) == (won, 300, "EUR")
    assert known["wins"] == [{"auctionId": won, "amount": 210, "currencyCode": "EUR"}]
    assert bram.consumer_id not in answer.text
    nobody = house.get("/me", bram).json()  # whose token no book knows
    assert nobody["person"] is None
    assert len(nobody["bids"]) == 2


async def test_who_is_bound_is_not_erased(house: House) -> None:
    """409 while a bid leads or a lot is not paid for; then everything is gone, at once."""
    address = an_address()
    pair = await with_code(house, address)
    ada, bram = person_of(pair), house.person()
    leading, won = await house.lot(), await house.lot()
    assert house.bid(leading, ada, {"amount": 100}).status_code == 200

    def erased() -> httpx.Response:
        return house.web.delete(f"{API}/me", headers=house.headers(ada))

    assert refusal(erased()) == (409, "A bid or a debt stands")
    assert house.bid(leading, bram, {"amount": 200}).status_code == 200
    assert house.bid(won, ada, {"amount": 100}).status_code == 200
    await house.wish(CloseLot(won))
    await house.until_status(won, "SETTLED")
    assert refusal(erased()) == (409, "A bid or a debt stands")
    assert is_in(house, ada.token)
    token = house.get(f"/auctions/{won}/status", ada).json()["paymentToken"]
    secret = {"Authorization": f"Bearer {house.keys.secret_key}"}
    paid = house.web.post(
        f"{API}/payment-tokens/complete", json={"token": token, "orderId": "o-1"}, headers=secret
    )
    assert paid.status_code == 200, paid.text
    answer = erased()
    assert (answer.status_code, answer.content) == (204, b"")
    assert not is_in(house, ada.token)
    anew = await with_code(house, address, 2)
    assert anew["session"]["consumerId"] != ada.consumer_id


async def test_mails_are_chosen(house: House) -> None:
    """All are on; each is switched by itself, and only true and false are taken."""
    ada = person_of(await with_code(house, an_address()))

    def choose(body: Any) -> httpx.Response:
        return house.web.put(f"{API}/me/notices", json=body, headers=house.headers(ada))

    everything = dict.fromkeys(
        ("outbid", "endingSoon", "won", "paymentDue", "lost", "registration", "undone"), True
    )
    assert house.get("/me/notices", ada).json() == everything
    assert choose({"endingSoon": False}).json() == {**everything, "endingSoon": False}
    assert choose({"lost": False, "endingSoon": True}).json() == {**everything, "lost": False}
    assert choose({}).json() == {**everything, "lost": False}
    bodies: list[Any] = [{"outbid": 1}, {"outbid": None}, {"advertising": True}, [], "x"]
    for bad in bodies:
        assert refusal(choose(bad)) == (400, "Invalid request"), bad
    assert house.get("/me/notices", ada).json() == {**everything, "lost": False}


@pytest.mark.parametrize("number", [0, 23])
def test_the_demonstrations_tokens_are_sessions(house: House, number: int) -> None:
    """Each can be refreshed, and its person has a name and an address."""
    assert house.keys.demo is not None
    bidder = house.keys.demo.bidders[number]
    assert house.get("/me", Person(bidder.consumer_id, bidder.token)).json()["person"]["email"] == (
        bidder.email
    )
    answer = post(house, "/auth/refresh", {"refreshToken": bidder.refresh_token})
    assert pair_of(answer, "authenticated")["session"]["consumerId"] == bidder.consumer_id
