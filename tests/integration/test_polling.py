"""Two thousand pages that ask every other second: conditional answers, and the same headers."""

from __future__ import annotations

from pathlib import Path

import httpx

from engine.core.messages import CloseLot, CreateSale, UpdateSale
from tests.integration.open_house import API, House, Json, house_in

SETTINGS = {"HTTP_RATE": "0", "KEY_RATE": "0"}
RATES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


def read(house: House, auction_id: str, tag: str = "", **headers: str) -> httpx.Response:
    asked = {**house.headers(), **headers}
    if tag:
        asked["If-None-Match"] = tag
    return house.web.get(f"{API}/auctions/{auction_id}", headers=asked)


def secret(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.keys.secret_key}"}


def without_time(answer: httpx.Response) -> Json:
    content: Json = answer.json()
    return {**content, "serverTime": 0}


async def test_nothing_new_is_said_in_a_few_bytes(house: House) -> None:
    """304 without a body and with every header, until something happens on the lot."""
    auction_id, ada = await house.lot(), house.person()
    first = read(house, auction_id)
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    for condition in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        again = read(house, auction_id, condition)
        assert (again.status_code, again.content) == (304, b""), condition
        assert again.headers["etag"] == tag
        for name in ("x-request-id", "vary", "cache-control", *RATES):
            assert again.headers[name], name
    other = read(house, auction_id, '"x"')
    assert other.status_code == 200
    assert other.headers["etag"] == tag
    assert without_time(other) == without_time(first)
    assert other.json()["serverTime"] >= first.json()["serverTime"]
    assert house.bid(auction_id, ada, {"amount": 100}).status_code == 200
    after = read(house, auction_id, tag)  # of the same gateway: what was answered is in it
    assert (after.status_code, after.json()["bidCount"]) == (200, 1)
    assert after.headers["etag"] != tag


async def test_every_change_has_a_tag_of_its_own(house: House) -> None:
    """A bid, the end, another name of the sale's zone; a silent raise changes nothing."""
    sale_id = await house.sale()
    auction_id, ada = await house.lot(sale_id), house.person()
    tags = [read(house, auction_id).headers["etag"]]

    def bid(amount: int) -> None:
        answer = house.bid(auction_id, ada, {"amount": amount, "max": True})
        assert answer.status_code == 200
        tags.append(read(house, auction_id).headers["etag"])

    bid(300)
    bid(500)  # only her own limit: nobody is to see that anything happened
    assert tags[1] == tags[2] != tags[0]
    changed = CreateSale(sale_id, "Test sale", "EUR", 2, "Europe/Berlin")
    await house.wish(UpdateSale(changed, cmd_id="u1"), CloseLot(auction_id))
    await house.until_status(auction_id, "SETTLED")
    assert read(house, auction_id).json()["timeZone"] == "Europe/Berlin"
    assert read(house, auction_id).headers["etag"] not in tags


async def test_who_reads_reserves_has_another_tag(house: House) -> None:
    """The house's copy and everybody's are never taken for each other, nor kept in between."""
    auction_id = await house.lot(reserve=77_431)
    page, house_own = read(house, auction_id), read(house, auction_id, **secret(house))
    assert page.json()["reservePrice"] is None
    assert house_own.json()["reservePrice"] == 774.31
    assert "774.31" not in page.text
    assert page.headers["etag"] != house_own.headers["etag"]
    assert read(house, auction_id, house_own.headers["etag"]).status_code == 200
    for answer in (page, house_own):
        assert "private" in answer.headers["cache-control"]
        assert "authorization" in answer.headers["vary"].lower()
    published = await house.lot(reserve=77_431, publish_reserve=True)
    assert read(house, published).json()["reservePrice"] == 774.31


async def test_every_answer_carries_the_same_headers(house: House) -> None:
    """A request id of its own, and what is left of the rate: successes and errors alike."""
    auction_id, ada = await house.lot(), house.person()
    bid = {"amount": 100}
    answers = [
        read(house, auction_id),
        house.get("/auctions"),
        house.get("/auctions?limit=0"),
        house.get("/auctions/auction_none_1"),
        house.get(f"/auctions/{auction_id}/status", ada),
        house.get(f"/auctions/{auction_id}/status"),
        house.get(f"/auctions/{auction_id}/bids", ada),
        house.get(f"/auctions/{auction_id}/current-price"),
        house.bid(auction_id, ada, bid),
        house.bid(auction_id, ada, bid),
        house.bid(auction_id, None, bid),
        house.bid("auction_none_1", ada, bid),
        house.bid(auction_id, ada, b"{"),
        house.web.get(f"{API}/auctions"),
    ]
    for answer in answers:
        for name in RATES:
            assert answer.headers[name].isdigit(), (answer.request.url, answer.status_code, name)
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert {answer.status_code for answer in answers} == {200, 400, 401, 404, 409}


async def test_the_list_is_what_each_of_them_says(house: House) -> None:
    """The same fields as one by one; reserves only for who reads them; 400 for unknown names."""
    sale_id = await house.sale()
    lots = [await house.lot(sale_id, reserve=77_431) for _ in range(3)]
    listed = house.get(f"/auctions?sequenceId={sale_id}").json()
    alone = [without_time(read(house, auction_id)) for auction_id in lots]
    assert [{**one, "serverTime": 0} for one in listed["data"]] == alone
    assert listed["pageInfo"] == {"startCursor": lots[0], "endCursor": lots[-1]}
    for_house = house.web.get(f"{API}/auctions?sequenceId={sale_id}", headers=secret(house))
    assert [one["reservePrice"] for one in for_house.json()["data"]] == [774.31] * 3
    for query in ("sequence=x", "limit=1&limit=2", "cursor=auction_none_1"):
        assert house.get(f"/auctions?{query}").status_code == 400, query


def test_too_many_calls(tmp_path: Path) -> None:
    """An address has its allowance, and each key of the house another; what is left is said
    with every answer, and when to come back where nothing is."""
    with house_in(tmp_path, HTTP_RATE="1/10", KEY_RATE="1/20") as house:
        answers = [house.get("/auctions") for _ in range(12)]
        codes = [answer.status_code for answer in answers]
        assert codes[:10] == [200] * 10
        left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers[:10]]
        assert left == sorted(left, reverse=True)
        assert (left[0], answers[0].headers["x-ratelimit-limit"]) == (9, "10")
        limited = house.web.get(f"{API}/auctions")  # counted before anybody asks for its key
        assert limited.status_code == 429
        assert limited.json()["error"] == "Rate limit exceeded"
        assert limited.json()["retryAfter"] == int(limited.headers["retry-after"]) == 1
        assert limited.headers["x-ratelimit-remaining"] == "0"
        assert limited.headers["x-request-id"]
        own = house.web.get(f"{API}/auctions", headers=secret(house))
        assert own.status_code == 200
        assert own.headers["x-ratelimit-limit"] == "20"
