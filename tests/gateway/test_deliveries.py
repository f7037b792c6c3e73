"""The sender against real receivers: order, signatures, retries, and where it never goes."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from engine.core.codec import GENESIS
from engine.core.messages import CloseLot, Command, KeepTime, SettleLot
from gateway import archive, keys
from gateway.archive import Bookmark, Passage
from gateway.books import mailing, outbox, people, webhooks
from gateway.books.outbox import mails
from gateway.books.people import Profile
from gateway.books.store import BooksError, Vault, open_books, writing
from gateway.books.webhooks import attempts, deliveries
from gateway.core.webhooks import RETRY_AFTER_MS, TYPES
from gateway.deliveries import Outside, Payment, Sender, deliver, payments_of
from gateway.keys import HouseKeys
from gateway.mail import postbox
from gateway.settings import read_gateway_settings
from tests.gateway.decisions import AT, LINEAGE, SALT, bid, decided, passages, sale_of_lots

LOT = "auction_k3f9_1"
KEY = b"the house's key for webhooks"
PATIENCE_S = 20.0
DAY_MS = 24 * 3_600_000


# ── A house, and who listens to it ───────────────────────────────────────────────────────


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = AT

    def __call__(self) -> int:
        return self.ms


class Request:
    """What a receiver was sent."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.line = first
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        self.body = body

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str, header: str = "x-fairwarning-signature") -> bool:
        """Whether the receiver finds the signature that it computes itself."""
        text = f"{self.headers['x-fairwarning-timestamp']}.".encode() + self.body
        expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        return self.headers.get(header) == f"sha256={expected}"


class Receiver:
    """A real HTTP server that answers as it is told and keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[bytes] = []  # of the next requests; then 204
        self.holding = asyncio.Event()  # cleared: answers wait
        self.holding.set()
        self.url = ""
        self.arrived = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            request = Request(head.removesuffix(b"\r\n\r\n"), await reader.readexactly(length))
            async with self.arrived:
                self.requests.append(request)
                self.arrived.notify_all()
            answer = self.answers.pop(0) if self.answers else status(204)
            await self.holding.wait()
            writer.write(answer)
            await writer.drain()
        writer.close()

    async def got(self, count: int) -> list[Request]:
        """The first *count* requests, once they are there."""
        async with asyncio.timeout(PATIENCE_S), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests[:count]


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} So", "Content-Length: 0", *headers, "", ""]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?shop=1"
    try:
        yield found
    finally:
        found.holding.set()
        server.close()
        await server.wait_closed()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Engine]:
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def house_keys(tmp_path_factory: pytest.TempPathFactory) -> HouseKeys:
    folder = tmp_path_factory.mktemp("keys")
    settings = read_gateway_settings({"DATA_DIR": str(folder), "DEMO": "0"})
    return keys.load_or_create(settings, AT)


class House:
    """Books, a clerk that writes into them, and a sender."""

    def __init__(self, books: Engine, data_dir: Path, house_keys: HouseKeys) -> None:
        self.books = books
        self.clock = Clock()
        self.wake = asyncio.Event()
        self.vault = Vault(house_keys.vault_key)
        self.folder = data_dir / "mail"
        self._passages: list[Passage] = []
        self._written = 0
        self._commands: list[Command] = []
        settings = read_gateway_settings(
            {"DATA_DIR": str(data_dir), "PUBLIC_URL": "https://sale.example.test"}
        )
        self.outside = Outside(
            books=books,
            vault=self.vault,
            webhook_key=KEY,
            salt=SALT,
            payments=payments_of(books, house_keys, self.clock),
            postbox=postbox(settings, self.clock),
            public_url=settings.public_url,
            allow_private=True,
            now=self.clock,
        )
        archive.begin(books, {0: Bookmark(LINEAGE, 0, GENESIS)})

    def subscribe(self, url: str, *events: str) -> tuple[str, str]:
        """A webhook; its id and its secret."""
        made, secret = webhooks.create(
            self.books, KEY, "test", url, events or TYPES, AT, allow_private=True
        )
        return made.webhook_id, secret

    def know(self, *consumers: str) -> None:
        """They have an account with an address."""
        with writing(self.books) as connection:
            for consumer in consumers:
                profile = Profile(email=f"{consumer}@example.test")
                people.write_down(connection, self.vault, "test", consumer, profile, AT)

    def decide(self, *commands: Command) -> None:
        """What the engine decides is written down, and the sender woken, as by the clerk."""
        self._commands += commands
        events = decided(self._commands)
        for passage in passages(events, 1)[self._written :]:
            archive.record(self.books, [passage], SALT, [self._intend])
        self._written = len(events)
        self.wake.set()

    def _intend(self, connection: Connection, found: Sequence[Passage]) -> None:
        for passage in found:
            outbox.intend(connection, passage, SALT)

    @asynccontextmanager
    async def sending(self, **changes: Any) -> AsyncIterator[None]:
        """While the sender runs."""
        named = {name: getattr(self.outside, name) for name in Outside.__dataclass_fields__}
        task = asyncio.create_task(deliver(Outside(**{**named, **changes}), self.wake))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until the books say so."""
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(true):
                await asyncio.sleep(0.01)

    def states(self) -> list[tuple[str, int]]:
        """Every delivery's state and attempts, in their order."""
        with self.books.connect() as connection:
            columns = deliveries.c.state, deliveries.c.attempts
            rows = connection.execute(select(*columns).order_by(deliveries.c.number))
            return [(row.state, row.attempts) for row in rows]

    def errors(self) -> list[str | None]:
        """What came of every attempt."""
        with self.books.connect() as connection:
            return list(connection.scalars(select(attempts.c.error).order_by(attempts.c.id)))

    def mails(self) -> list[tuple[str, str]]:
        """Every mail's kind and state."""
        with self.books.connect() as connection:
            rows = connection.execute(select(mails.c.kind, mails.c.state).order_by(mails.c.number))
            return [(row.kind, row.state) for row in rows]

    def letters(self) -> list[Any]:
        """The mails that lie in the folder, oldest first."""
        files = sorted(self.folder.glob("*.eml")) if self.folder.exists() else []
        return [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in files
        ]

    async def sent(self, kind: str, state: str = "sent") -> None:
        """Wait until a mail of that kind is done with."""
        await self.until(lambda: (kind, state) in self.mails())


@pytest.fixture
async def house(books: Engine, tmp_path: Path, house_keys: HouseKeys) -> House:
    return House(books, tmp_path, house_keys)


def opened() -> list[Command]:
    """A lot that opens: one happening."""
    return [*sale_of_lots(), KeepTime(LOT)]


def bids(count: int) -> list[Command]:
    """Two bidders against each other; each bid is one happening, and from the second on two."""
    who = ("cons_ana", "cons_bo")
    return [bid(who[number % 2], 20_000 + number * 1_000) for number in range(count)]


# ── Telling ──────────────────────────────────────────────────────────────────────────────


async def test_two_hundred_happenings_arrive_in_order_and_signed(house: House) -> None:
    """As they happened, each once, under the headers of the contract."""
    async with receiver() as shop, house.sending():
        _, secret = house.subscribe(shop.url)
        house.decide(*sale_of_lots(reserve=None), *bids(100))
        requests = await shop.got(200)
        await house.until(lambda: house.states() == [("delivered", 1)] * 200)
    assert all(request.is_signed_with(secret) for request in requests)
    times = [request.said["timestamp"] for request in requests]
    assert times == sorted(times)
    placed = [r.said["data"]["bidAmount"] for r in requests if "placed" in r.said["type"]]
    assert placed == [f"{200 + number * 10}.00" for number in range(100)]
    assert len({request.said["id"] for request in requests}) == 200
    first = requests[0]
    assert first.line == "POST /hook?shop=1 HTTP/1.1"
    assert first.headers["content-type"] == "application/json"
    assert first.headers["host"] == shop.url.split("/")[2]
    assert first.headers["x-fairwarning-timestamp"] == str(AT // 1000)
    assert "cookie" not in first.headers


async def test_after_a_rotation_both_secrets_sign(house: House) -> None:
    """The new one in the contract's header, the old one beside it."""
    async with receiver() as shop, house.sending():
        hook, old = house.subscribe(shop.url, "distribution.opened")
        new = webhooks.rotate(house.books, KEY, "test", hook, AT)
        assert new is not None
        house.decide(*opened())
        [request] = await shop.got(1)
    assert request.is_signed_with(new)
    assert request.is_signed_with(old, "x-fairwarning-signature-previous")


async def test_a_winner_is_told_with_a_token_that_holds(
    house: House, house_keys: HouseKeys
) -> None:
    """The token is signed by the house and lies in no row."""
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "auction.consumer.won")
        house.decide(*sale_of_lots(reserve=None), *bids(2), CloseLot(LOT), SettleLot(LOT))
        [request] = await shop.got(1)
    token = request.said["data"]["paymentToken"]
    claims = keys.read_signed(house_keys, "payment+jwt", token)
    assert (claims["auction"], claims["consumer"], claims["amount"]) == (LOT, "cons_bo", "210.00")
    with house.books.connect() as connection:
        assert token not in str(connection.execute(select(deliveries)).all())


async def test_what_fails_is_tried_eight_times_under_one_id(house: House) -> None:
    """At its times and not before; every attempt is signed anew."""
    async with receiver() as shop, house.sending():
        _, secret = house.subscribe(shop.url, "distribution.opened")
        shop.answers = [status(500)] * 8
        house.decide(*opened())
        for number, wait in enumerate(RETRY_AFTER_MS, 1):
            await house.until(lambda n=number: house.states() == [("pending", n)])  # type: ignore[misc]
            house.clock.ms += wait - 1
            house.wake.set()
            await asyncio.sleep(0.05)  # long enough for an attempt that should not be
            assert len(shop.requests) == number
            house.clock.ms += 1
            house.wake.set()
            await shop.got(number + 1)
        await house.until(lambda: house.states() == [("failed", 8)])
    assert {request.said["id"] for request in shop.requests} == {shop.requests[0].said["id"]}
    assert all(request.is_signed_with(secret) for request in shop.requests)
    assert len({request.headers["x-fairwarning-timestamp"] for request in shop.requests}) == 8
    assert house.errors() == ["answered 500"] * 8


async def test_one_failure_does_not_keep_the_others(house: House) -> None:
    """What comes after it is told; it is told again when its time has come."""
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "auction.bid.placed")
        shop.answers = [status(503)]
        house.decide(*sale_of_lots(reserve=None), *bids(3))
        await house.until(
            lambda: house.states() == [("pending", 1), ("delivered", 1), ("delivered", 1)]
        )
        house.clock.ms += RETRY_AFTER_MS[0]
        house.wake.set()
        await house.until(lambda: house.states()[0] == ("delivered", 2))


async def test_a_redirect_is_not_followed(house: House) -> None:
    """Wherever it points, nobody is asked there."""
    async with receiver() as shop, receiver() as elsewhere, house.sending():
        house.subscribe(shop.url, "distribution.opened")
        shop.answers = [status(307, f"Location: {elsewhere.url}")]
        house.decide(*opened())
        await house.until(lambda: house.states() == [("pending", 1)])
        assert house.errors() == ["answered 307"]
        assert elsewhere.requests == []


async def test_a_receiver_that_is_gone_is_left_alone(house: House) -> None:
    """After a 410 nothing that waits is told."""
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "auction.bid.placed")
        shop.answers = [status(410)]
        house.decide(*sale_of_lots(reserve=None), *bids(3))
        await house.until(lambda: {state for state, _ in house.states()} == {"gone"})
        assert len(shop.requests) == 1


async def test_an_answer_without_end_is_not_read(house: House) -> None:
    """The status has been said: a body of any length changes nothing."""
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "distribution.opened")
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000
        shop.answers = [endless]
        house.decide(*opened())
        await house.until(lambda: house.states() == [("delivered", 1)])


async def test_silence_is_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer in time is asked again later."""
    monkeypatch.setattr("gateway.deliveries._ANSWER_WITHIN_S", 0.1)
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "distribution.opened")
        shop.holding.clear()
        house.decide(*opened())
        await house.until(lambda: house.states() == [("pending", 1)])
    assert house.errors() == ["no answer within 0 s"]


async def test_a_slow_receiver_keeps_nobody_waiting(house: House) -> None:
    """While one of them does not answer, the other is told everything."""
    async with receiver() as slow, receiver() as quick, house.sending():
        house.subscribe(slow.url, "auction.bid.placed")
        house.subscribe(quick.url, "auction.bid.placed")
        slow.holding.clear()
        house.decide(*sale_of_lots(reserve=None), *bids(30))
        await quick.got(30)
        assert len(slow.requests) == 1


async def test_a_replay_is_found_without_being_woken(house: House) -> None:
    """Another process has asked for it: it comes within seconds, under the same id."""
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "distribution.opened")
        house.decide(*opened())
        [first] = await shop.got(1)
        await house.until(lambda: house.states() == [("delivered", 1)])
        assert webhooks.replay(house.books, "test", first.said["id"]) is not None
        _, second = await shop.got(2)
        await house.until(lambda: house.states() == [("delivered", 2)])
    assert second.body == first.body


async def test_a_kill_between_sending_and_marking_leads_to_a_second_attempt(house: House) -> None:
    """Under the same id, so that the receiver can tell."""
    async with receiver() as shop:
        house.subscribe(shop.url, "distribution.opened")
        house.decide(*opened())
        shop.holding.clear()
        async with house.sending():
            await shop.got(1)  # sent; the sender dies before it hears the answer
        assert house.states() == [("pending", 0)]
        shop.holding.set()
        async with house.sending():
            first, second = await shop.got(2)
            await house.until(lambda: house.states() == [("delivered", 1)])
    assert first.body == second.body


async def test_books_in_trouble_are_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told and could not be written down is told once more, not in the same breath."""
    monkeypatch.setattr("gateway.deliveries._AFTER_TROUBLE_S", 0.2)
    mark = webhooks.mark
    trouble = [BooksError("the disk is full")]

    def failing(*given: Any) -> str:
        if trouble:
            raise trouble.pop()
        return mark(*given)

    monkeypatch.setattr("gateway.books.webhooks.mark", failing)
    async with receiver() as shop, house.sending():
        house.subscribe(shop.url, "distribution.opened")
        house.decide(*opened())
        first, second = await shop.got(2)
        await house.until(lambda: house.states() == [("delivered", 1)])
    assert first.body == second.body


# ── Where it never goes ──────────────────────────────────────────────────────────────────


def resolver(*answers: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A name that resolves to another address each time; the last one stays."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolve


async def test_a_name_that_changes_its_mind_is_found_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public when it was looked at first, our own machine at the next attempt."""
    went_to: list[str] = []

    async def go(_sender: Sender, address: str, *_more: Any) -> int:
        went_to.append(address)  # nothing leaves the machine for a test
        return 500

    monkeypatch.setattr(Sender, "_post_to", go)
    house.subscribe("https://shop.example/hook", "distribution.opened")
    rebinding = resolver("93.184.215.14", "127.0.0.1")
    async with house.sending(allow_private=False, resolve=rebinding):
        house.decide(*opened())
        await house.until(lambda: house.states() == [("pending", 1)])
        house.clock.ms += RETRY_AFTER_MS[0]
        house.wake.set()
        await house.until(lambda: house.states() == [("pending", 2)])
    assert went_to == ["93.184.215.14"]
    assert house.errors() == ["answered 500", "the host has a private address"]


async def test_one_private_address_among_public_ones_is_enough_to_refuse(house: House) -> None:
    """Nobody chooses among the addresses of such a host."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.7"]

    async with house.sending(allow_private=False, resolve=resolve):
        house.subscribe("https://shop.example/hook", "distribution.opened")
        house.decide(*opened())
        await house.until(lambda: house.states() == [("pending", 1)])
    assert house.errors() == ["the host has a private address"]


async def test_the_address_that_was_judged_is_the_one_connected_to(house: House) -> None:
    """The name is resolved once an attempt, and the request names the host all the same."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async with receiver() as shop, house.sending(resolve=resolve):
        port = shop.url.split(":")[2].split("/")[0]
        # No resolver of this machine knows the name.
        house.subscribe(f"http://shop.invalid:{port}/hook", "distribution.opened")
        house.decide(*opened())
        [request] = await shop.got(1)
    assert asked == ["shop.invalid"]
    assert request.headers["host"] == f"shop.invalid:{port}"


async def test_a_name_that_nobody_knows_is_a_failure(house: House) -> None:
    """It is tried again later, like any other."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    async with house.sending(resolve=resolve):
        house.subscribe("https://shop.example/hook", "distribution.opened")
        house.decide(*opened())
        await house.until(lambda: house.states() == [("pending", 1)])
    assert house.errors() == ["OSError: no such name"]


# ── Mail ─────────────────────────────────────────────────────────────────────────────────


async def test_bidders_get_their_mail(house: House) -> None:
    """Outbid, won and lost, with figures and links, each to its own address."""
    house.know("cons_ana", "cons_bo")
    async with house.sending():
        house.decide(*sale_of_lots(reserve=None), *bids(2))
        await house.sent("outbid")
        [outbid] = house.letters()
        house.clock.ms += 1
        house.decide(CloseLot(LOT), SettleLot(LOT))
        await house.sent("won")
        await house.sent("lost")
    assert (outbid["To"], outbid["Subject"]) == ("cons_ana@example.test", "Outbid on lot 1A")
    assert "The bid stands at 210.00 EUR." in outbid.get_content()
    by_subject = {letter["Subject"]: letter for letter in house.letters()}
    won = by_subject["You won lot 1A"]
    assert won["To"] == "cons_bo@example.test"
    assert "for 210.00 EUR." in won.get_content()
    assert f"https://sale.example.test/me#{LOT}" in won.get_content()
    assert by_subject["Lot 1A has ended"]["To"] == "cons_ana@example.test"


async def test_mail_that_is_switched_off_is_dropped(house: House) -> None:
    """Asked when it is sent, so that it counts at once."""
    house.know("cons_ana")
    people.set_notices(house.books, "cons_ana", {"outbid": False}, AT)
    async with house.sending():
        house.decide(*sale_of_lots(reserve=None), *bids(2))
        await house.sent("outbid", "dropped")
    assert house.letters() == []


async def test_mail_about_what_is_over_is_dropped(house: House) -> None:
    """Nobody is told to bid again on a lot that is closed."""
    house.know("cons_ana")
    house.decide(*sale_of_lots(reserve=None), *bids(2), CloseLot(LOT))
    async with house.sending():
        await house.sent("outbid", "dropped")


async def test_payment_is_called_due_a_day_before_its_token_expires(house: House) -> None:
    """Once, to who has not paid, and with the win switched off too."""
    house.know("cons_bo")
    people.set_notices(house.books, "cons_bo", {"won": False}, AT)
    async with house.sending():
        house.decide(*sale_of_lots(reserve=None), *bids(2), CloseLot(LOT), SettleLot(LOT))
        await house.sent("won", "dropped")
        assert house.mails()[-1] == ("payment_due", "pending")
        house.clock.ms += 7 * DAY_MS - DAY_MS
        house.wake.set()
        await asyncio.sleep(0.05)  # long enough for a mail that should not be
        assert house.letters() == []
        house.clock.ms += 60_000  # the lot was settled some seconds after the clock's start
        house.wake.set()
        await house.sent("payment_due")
    [letter] = house.letters()
    assert letter["Subject"] == "Payment due for lot 1A"


async def test_who_has_paid_is_not_reminded(house: House) -> None:
    """The token was used up: the mail is dropped."""
    house.know("cons_bo")
    paid = [False]

    def payments(_auction: str, _consumer: str) -> Payment:
        return Payment("token", AT + 2 * DAY_MS, not paid[0])

    async with house.sending(payments=payments):
        house.decide(*sale_of_lots(reserve=None), *bids(2), CloseLot(LOT), SettleLot(LOT))
        await house.sent("won")
        paid[0] = True
        house.clock.ms += DAY_MS
        house.wake.set()
        await house.sent("payment_due", "dropped")


async def test_mail_that_cannot_be_written_is_tried_again(house: House) -> None:
    """A folder in the way of another file: a minute later it has been put right."""
    house.know("cons_ana")
    house.folder.write_text("in the way")
    async with house.sending():
        house.decide(*sale_of_lots(reserve=None), *bids(2))
        await house.until(lambda: mailing.next_mail_at(house.books) == AT + RETRY_AFTER_MS[0])
        house.folder.unlink()
        house.clock.ms += RETRY_AFTER_MS[0]
        house.wake.set()
        await house.sent("outbid")
    assert len(house.letters()) == 1


async def test_the_sender_waits_for_what_is_due(house: House) -> None:
    """It says when it has something to do next, and never looks in between."""
    async with receiver() as shop:
        house.subscribe(shop.url, "distribution.opened")
        shop.answers = [status(500)]
        sender = Sender(house.outside)
        assert await sender.turn() is None
        house.decide(*opened())
        assert await sender.turn() is None  # under way
        await house.until(lambda: house.states() == [("pending", 1)])
        await sender.rest(house.wake, None)
        assert await sender.turn() == AT + RETRY_AFTER_MS[0]
        await sender.close()


async def test_what_was_told_is_kept_for_a_month(house: House) -> None:
    """Then the sender forgets it, once it looks again."""
    house.know("cons_ana")
    async with receiver() as shop:
        house.subscribe(shop.url, "distribution.opened")
        async with house.sending():
            house.decide(*sale_of_lots(reserve=None), *bids(2))
            await house.sent("outbid")
            await house.until(lambda: house.states() == [("delivered", 1)])
    sender = Sender(house.outside)
    house.clock.ms += 30 * DAY_MS - 1
    await sender.turn()
    assert (house.mails(), house.states()) == ([("outbid", "sent")], [("delivered", 1)])
    house.clock.ms += 3_600_000
    await sender.turn()
    assert (house.mails(), house.states()) == ([], [])
    await sender.close()
