"""A house that stops in the middle of a sale, in every way, and goes on when it is started."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.live import (
    PUBLIC,
    Live,
    fold,
    following,
    public_of,
    seqs_covered,
    signed_in,
)
from tests.integration.open_house import House, Json, Person, house_in
from tests.processes import free_port, is_alive, until

PROCESSES = ("redis.1", "engine.1", "gateway.1", "clerk.1")


class Crowd:
    """Bidders who outbid each other until their lines break, and what they were answered."""

    def __init__(self, house: House, auction_id: str, size: int) -> None:
        self.house = house
        self.auction_id = auction_id
        self.people = [house.person() for _ in range(size)]
        self.answers: dict[tuple[str, str], Json] = {}
        self.unanswered: dict[tuple[str, str], int] = {}
        self.closes: list[tuple[int, str]] = []
        self.told: list[Json] = []

    async def bid_on(self) -> None:
        await asyncio.gather(*(self._one(person) for person in self.people))

    async def _one(self, person: Person) -> None:
        async with following(self.house, self.auction_id, person) as live:
            try:
                await self._storm(person, live)
            except ConnectionClosed:
                self.closes.append((live.socket.close_code or 1005, live.socket.close_reason or ""))
            self.told += [f for f in live.heard if f["type"] in PUBLIC]

    async def _storm(self, person: Person, live: Live) -> None:
        asking, number = 10_000, 0
        while True:
            number += 1
            bid = (person.consumer_id, f"c{number}")
            self.unanswered[bid] = asking
            answer = await live.bid(self.auction_id, asking, bid[1], kind="bid")
            assert answer["type"] == "result", answer
            del self.unanswered[bid]
            self.answers[bid] = {**answer, "amount": asking}
            asking = answer["askingBid"]
            await asyncio.sleep(0.005)

    async def check_again(self) -> None:
        """Every answer is given again word for word; what had none is decided now."""
        for person in self.people:
            mine = self._remembered(person)
            async with signed_in(self.house, person) as live:
                for key in mine:
                    answer = dict(self.answers[key])
                    amount = answer.pop("amount")
                    assert await self._sent_again(live, key[1], amount) == answer
                for (consumer_id, cmd_id), amount in self.unanswered.items():
                    if consumer_id == person.consumer_id:
                        late = await self._sent_again(live, cmd_id, amount)
                        self.answers[consumer_id, cmd_id] = {**late, "amount": amount}

    async def _sent_again(self, live: Live, cmd_id: str, amount: int) -> Json:
        """The result, however often a house that has just opened says that it is too busy."""
        while True:
            answer = await live.bid(self.auction_id, amount, cmd_id, kind="bid")
            if answer["type"] == "result":
                return answer
            assert answer["code"] == "overloaded"
            await asyncio.sleep(0.05)

    def _remembered(self, person: Person) -> list[tuple[str, str]]:
        """All that were accepted, and as many refusals as are promised to be remembered."""
        mine = [key for key in self.answers if key[0] == person.consumer_id]
        accepted = [key for key in mine if self.answers[key]["outcome"] == "accepted"]
        return accepted + [key for key in mine if key not in accepted][-31:]

    def accepted(self, person: Person) -> int:
        mine = [answer for key, answer in self.answers.items() if key[0] == person.consumer_id]
        return sum(answer["outcome"] == "accepted" for answer in mine)


NO_LIMITS = {"BID_RATE": "0", "MESSAGE_RATE": "0"}


@pytest.mark.parametrize("how", ["SIGTERM", "kill -9 of the launcher"])
def test_a_stop_in_the_middle_of_a_sale(folder: Path, how: str) -> None:
    """Nothing is lost, doubled or renumbered; sockets are told to come back; a lot whose end
    fell into the stop stays open; one that had ended stays so."""
    with house_in(folder, **NO_LIMITS) as house:
        asyncio.run(_stop_in_the_middle(house, how == "SIGTERM"))


async def _stop_in_the_middle(house: House, orderly: bool) -> None:
    sale_id = await house.sale()  # one sale, one lineage
    auction_id = await house.lot(sale_id)
    # Hands of the clock: 2.5 s from now two lots end, and nobody will be there.
    ends_at = await house.now() + 2_500
    hard = await house.lot(sale_id, closes_at=ends_at)
    window: Json = {"extension_window_ms": 20_000, "extension_ms": 5_000, "max_extensions": 0}
    soft = await house.lot(sale_id, closes_at=ends_at, **window)
    ended = await house.lot(sale_id, closes_at=await house.now() + 100)
    await house.until_status(ended, "SETTLED")
    crowd = Crowd(house, auction_id, 4)
    keys = (house.data_dir / "keys.json").read_bytes()

    async def end() -> float:
        await asyncio.sleep(0.7)
        assert house.running is not None
        began = time.monotonic()
        house.running.signal(signal.SIGTERM if orderly else signal.SIGKILL)
        return began

    async with following(house, soft) as live:
        before = live.heard[-1]
        began, _ = await asyncio.gather(end(), crowd.bid_on())
    processes = [house.pid_of(name) for name in PROCESSES]
    code = await asyncio.to_thread(house.ended)
    if orderly:
        assert code == 0
        assert time.monotonic() - began < 12
        assert [code for code, _ in crowd.closes] == [1012] * 4
        for _, reason in crowd.closes:
            assert json.loads(reason)["retryAfterMs"] > 0
    until(lambda: not any(map(is_alive, processes)), "every process to end")
    assert len(crowd.answers) > 5  # as many as a busy machine decides in 0.7 s
    await asyncio.sleep(max(0, ends_at / 1000 + 0.2 - time.time()))

    house.start()
    assert (house.data_dir / "keys.json").read_bytes() == keys
    await _lots_at_their_end(house, hard, soft, ended, before)
    async with following(house, auction_id) as live:
        snapshot = live.heard[-1]
        assert snapshot["lineage"] == before["lineage"]
        await live.subscribe(auction_id, lineage=before["lineage"], seq=0)
        events = await live.until_seq(auction_id, snapshot["seq"])
    assert seqs_covered(events) == list(range(1, snapshot["seq"] + 1))
    by_seq = {event["seq"]: event for event in events}
    for told in crowd.told:
        told.pop("merged", None)
        assert by_seq[told["seq"]] == told
    await crowd.check_again()
    for person in crowd.people:
        async with following(house, auction_id, person) as live:
            assert live.heard[-1]["you"]["bidCount"] == crowd.accepted(person)


async def _lots_at_their_end(house: House, hard: str, soft: str, ended: str, before: Json) -> None:
    now = await house.now()
    for auction_id, window_ms in ((hard, 60_000), (soft, 20_000)):
        async with signed_in(house, house.person()) as live:
            await live.subscribe(auction_id, lineage=before["lineage"], seq=1)
            extended = await live.next_of("extended", "closed")
            assert extended["type"] == "extended"
            assert extended["extensions"] == 0
            assert 0 <= now + window_ms - extended["closesAt"] < 8_000
            snapshot = await live.subscribe(auction_id)
            assert snapshot["auction"]["status"] == "open"
            assert snapshot["auction"]["closesAt"] == extended["closesAt"]
            assert (await live.bid(auction_id, 10_000, "late"))["outcome"] == "accepted"
            if auction_id == soft:
                view = fold(before, extended)
                for event in public_of(live.heard, auction_id)[1:]:
                    view = fold(view, event)
    async with signed_in(house, house.person()) as live:
        assert (await live.bid(ended, 90_000, "late"))["code"] == "closed"


def test_a_second_house_is_refused(folder: Path) -> None:
    """On the same DATA_DIR, and on the same port: exit code 2 and one line that says which."""
    with house_in(folder) as house:
        port, house.port = house.port, free_port()
        for setting, line in (("DATA_DIR", str(house.data_dir)), ("PORT", str(port))):
            if setting == "PORT":
                house.port = port
                house.data_dir = folder / "another"
            with house.launched() as second:
                assert second.ended() == 2
                assert len(second.lines) == 1, second.lines
                assert setting in second.lines[0]
                assert line in second.lines[0]
        assert house.web.get("/readyz").status_code == 200
        house.data_dir = folder / "var"


def test_the_death_of_any_process_stops_the_house(folder: Path) -> None:
    """kill -9 of each in turn, of the log's server too: the house stops and names it, no
    process is left, and the next start goes on where this one was."""
    with house_in(folder, **NO_LIMITS) as house:
        auction_id = asyncio.run(house.lot())
        lineage = None
        for number, victim in enumerate((*PROCESSES, "server"), 1):
            amount = 100 + 10 * number
            bid = house.bid(auction_id, house.person(), {"amount": amount})
            assert bid.status_code == 200
            assert bid.json()["seq"] == number + 1
            pids = {name: house.pid_of(name) for name in PROCESSES}
            pids["server"] = server_of(pids["redis.1"])
            os.kill(pids[victim], signal.SIGKILL)
            assert house.running is not None
            running = house.running
            assert house.ended() == 1
            assert "died" in running.lines[-1]
            if victim != "server":  # of its death everybody who speaks to it may die first
                assert f"{victim} died (killed by SIGKILL)" in running.lines[-1]
            until(lambda: not any(map(is_alive, pids.values())), "every process to end")  # noqa: B023
            house.start()
            snapshot = asyncio.run(_snapshot(house, auction_id))
            assert snapshot["lineage"] == (lineage or snapshot["lineage"])
            lineage = snapshot["lineage"]
            assert (snapshot["seq"], snapshot["auction"]["bidCount"]) == (number + 1, number)
            assert snapshot["auction"]["price"] == amount * 100


def server_of(keeper: int) -> int:
    """The log's server, which is the keeper's child."""
    [child] = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    return int(child)


async def _snapshot(house: House, auction_id: str) -> Json:
    async with following(house, auction_id) as live:
        return live.heard[-1]


def test_a_stop_takes_no_longer_with_a_peer_that_does_not_answer(folder: Path) -> None:
    """An open socket whose owner never answers the close frame holds up nobody."""
    from tests.integration.live import RawSocket

    with house_in(folder) as house, RawSocket(house) as raw:
        raw.hello(house)
        began = time.monotonic()
        assert house.stop() == 0
        assert time.monotonic() - began < 12
        assert raw.close_code() == 1012
