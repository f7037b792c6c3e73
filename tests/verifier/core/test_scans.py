"""Scan monitoring: each rule at its edge, and a thousand made-up objects of each kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from verifier.core.scans import (
    COUNTER_JUMP,
    DAY_MS,
    HIGH,
    MEDIUM,
    MINUTE_MS,
    RULES,
    WINDOW_MS,
    Attempt,
    Cell,
    Context,
    Kind,
    Level,
    Risk,
    Scan,
    assess,
    enumerators,
    public,
)

HOUR_MS = 60 * MINUTE_MS
NOW = 1_800_000_000_000 // DAY_MS * DAY_MS
SOLD = NOW - 40 * DAY_MS
HELD = Context(SOLD, "transferred", NOW)
SHOWN = Context(None, "listed", NOW)

PLACES: dict[str, Cell] = {
    "DE": (52, 13),
    "FR": (49, 2),
    "US": (41, -74),
    "JP": (36, 140),
    "AU": (-34, 151),
    "BR": (-24, -47),
    "CN": (31, 121),
    "IN": (19, 73),
    "ZA": (-26, 28),
    "AE": (25, 55),
}


def rules(scans: Sequence[Scan], context: Context = HELD) -> list[str]:
    return [reason.rule for reason in assess(scans, context).reasons]


def qr(at: int, country: str | None = None, kind: Kind = "qr") -> Scan:
    return Scan(at, kind, "client", country, PLACES.get(country or ""))


def tap(at: int, country: str, counter: int, outcome: str = "verified") -> Scan:
    return Scan(at, "nfc", "client", country, PLACES[country], counter, outcome)


# ── Each rule at its edge ────────────────────────────────────────────────────────────────


def test_no_scans_say_nothing() -> None:
    """An object that nobody looked at is as good as any."""
    assert assess([], HELD) == Risk("low", 0, ())


def test_a_replayed_tap() -> None:
    """One is enough for a warning, wherever the object is."""
    for context in (HELD, SHOWN):
        risk = assess([tap(SOLD, "DE", 1), tap(SOLD + 1, "DE", 1, "replayed")], context)
        assert [reason.rule for reason in risk.reasons] == ["nfc_replay"]
        assert (risk.level, risk.score) == ("medium", 40)


def test_a_chip_is_in_one_place() -> None:
    """Berlin and New York within six hours is no journey, within eight it is one."""
    assert rules([tap(SOLD, "DE", 1), tap(SOLD + 6 * HOUR_MS, "US", 2)]) == ["nfc_travel"]
    assert rules([tap(SOLD, "DE", 1), tap(SOLD + 8 * HOUR_MS, "US", 2)]) == []
    assert assess([tap(0, "DE", 1), tap(1, "US", 2)], HELD).level == "high"


def test_a_network_that_shows_a_telephone_elsewhere() -> None:
    """Less than 500 km apart is no journey at all."""
    near = Scan(SOLD, "nfc", "client", "DE", (52, 13), 1, "verified")
    hamburg = Scan(SOLD + 1, "nfc", "client", "DE", (54, 10), 2, "verified")
    munich = Scan(SOLD + 2, "nfc", "client", "DE", (48, 12), 3, "verified")
    assert rules([near, hamburg]) == []
    assert rules([hamburg, munich]) == ["nfc_travel"]


def test_a_replay_is_not_where_the_chip_is() -> None:
    """A recorded link that is opened in Sydney does not move the chip there."""
    scans = [tap(SOLD, "DE", 1), tap(SOLD + 1, "AU", 1, "replayed"), tap(SOLD + 2, "DE", 2)]
    assert rules(scans) == ["nfc_replay"]


def test_a_journey_is_judged_in_the_order_of_time() -> None:
    """However the scans are handed in."""
    scans = [
        tap(SOLD + 30 * HOUR_MS, "DE", 3),
        tap(SOLD + 15 * HOUR_MS, "US", 2),
        tap(SOLD, "DE", 1),
    ]
    assert rules(scans) == []


def test_a_counter_that_jumps() -> None:
    """More than 500 taps that nobody saw: somebody is recording them."""
    first = tap(SOLD, "DE", 7)
    assert rules([first, tap(SOLD + 1, "DE", 7 + COUNTER_JUMP)]) == []
    assert rules([first, tap(SOLD + 1, "DE", 8 + COUNTER_JUMP)]) == ["nfc_jump"]


def test_a_burst() -> None:
    """25 within ten minutes, not 24, and not 25 in a little more."""
    burst = [qr(SOLD + at * 25_000) for at in range(25)]  # the last exactly ten minutes later
    assert rules(burst) == ["burst"]
    assert rules(burst[:-1]) == []
    assert rules([*burst[:-1], qr(burst[-1].at + 1)]) == []
    assert assess(burst, HELD).level == "low"


def days(*countries: str) -> list[Scan]:
    start = SOLD // DAY_MS * DAY_MS + DAY_MS
    return [qr(start + day * DAY_MS + at, c) for day, said in enumerate(countries) for at, c in
            enumerate(said.split())]  # fmt: skip


def test_four_countries_a_day_on_three_days() -> None:
    """Three countries a day, or two such days, are a traveller."""
    four, three = "DE FR US JP", "DE FR US"
    assert "many_countries" in rules(days(four, four, four))
    assert "many_countries" not in rules(days(four, four, three))
    assert "many_countries" not in rules(days("DE FR", "US JP", "AU BR"))


def test_what_a_catalogue_shows_is_scanned_everywhere() -> None:
    """While it is cataloged, listed or sold; and what was scanned then is not held against it."""
    everywhere = days(*["DE FR US JP AU BR"] * 10)
    for status in ("cataloged", "listed", "sold", "withdrawn", "returned"):
        assert assess(everywhere, Context(None, status, NOW)).level == "low"
    later = Context(everywhere[-1].at + 1, "transferred", NOW)
    assert rules(everywhere, later) == []
    assert assess(everywhere, Context(None, "consigned", NOW)).level == "medium"


def test_a_page_that_is_opened_is_no_label_that_is_scanned() -> None:
    """Whoever follows a link on the web holds nothing in hand."""
    assert rules([qr(s.at, s.country, "page") for s in days(*["DE FR US JP AU BR"] * 10)]) == []


def test_scattered_after_the_sale() -> None:
    """Six scans in four countries, none with more than half, from the third day on."""

    def at(countries: str, start: int) -> list[Scan]:
        return [qr(start + n * DAY_MS, c) for n, c in enumerate(countries.split())]

    settled = SOLD + 3 * DAY_MS
    assert rules(at("DE FR US JP DE DE", settled)) == ["scattered"]
    assert rules(at("DE FR US JP DE DE DE", settled)) == []  # more than half at home
    assert rules(at("DE FR US DE FR US", settled)) == []
    assert rules(at("DE FR US JP DE", settled)) == []
    assert rules(at("DE FR US JP DE DE", settled - 1)) == []
    assert rules(at("DE FR US JP DE DE", settled), Context(None, "consigned", NOW)) == []


def test_codes_that_travel() -> None:
    """One impossible pair is a link that was sent to a friend; fifteen are fifteen labels."""
    there_and_back = [qr(SOLD + n * HOUR_MS, "US" if n % 2 else "DE") for n in range(16)]
    assert rules(there_and_back[:15]) == []
    assert rules(there_and_back) == ["qr_travel"]
    assert rules(there_and_back, SHOWN) == []


def test_a_link_that_the_house_did_not_sign() -> None:
    """It is told to the owner, and is no warning by itself."""
    risk = assess([Scan(SOLD, "qr", "client", outcome="link_refused")], HELD)
    assert [reason.rule for reason in risk.reasons] == ["link_refused"]
    assert risk.level == "low"


def test_a_withdrawn_object_that_turns_up() -> None:
    """A label that is scanned, not a page that is looked at."""
    withdrawn = Context(None, "withdrawn", NOW)
    assert rules([qr(SOLD)], withdrawn) == ["withdrawn"]
    assert rules([qr(SOLD, kind="page")], withdrawn) == []
    assert rules([qr(SOLD)], HELD) == []


def test_the_levels_and_what_is_public() -> None:
    """30 is medium, 60 is high; the public hears two words."""
    assert (MEDIUM, HIGH) == (30, 60)
    levels: list[Level] = ["low", "medium", "high"]
    assert [public(Risk(level, 0, ())) for level in levels] == ["normal", "caution", "caution"]


def test_the_weights_are_those_of_the_design() -> None:
    """Changing one is a decision, not an accident; every rule has a sentence."""
    assert {rule.name: rule.weight for rule in RULES} == {
        "nfc_travel": 60,
        "nfc_replay": 40,
        "scattered": 35,
        "many_countries": 30,
        "qr_travel": 25,
        "nfc_jump": 15,
        "burst": 15,
        "link_refused": 10,
        "withdrawn": 10,
    }
    assert all(" " in rule.words for rule in RULES)


def test_the_score_is_the_sum_of_its_reasons() -> None:
    """So that an owner can add it up."""
    scans = days(*["DE FR US JP AU BR"] * 10)
    risk = assess([*scans, tap(NOW, "DE", 1, "replayed")], HELD)
    assert risk.score == sum(reason.weight for reason in risk.reasons)
    assert risk.level == "high"


# ── Counting through serials ─────────────────────────────────────────────────────────────


def tries(count: int, every_ms: int = 1000, client: str = "a") -> list[Attempt]:
    return [Attempt(n * every_ms, client, f"S{n}") for n in range(count)]


def test_who_tries_ten_unknown_serials_in_ten_minutes() -> None:
    """Ten different ones, within ten minutes to the millisecond, of one client."""
    assert enumerators(tries(10)) == ("a",)
    assert enumerators(tries(9)) == ()
    nine = tries(9)
    assert enumerators([*nine, Attempt(WINDOW_MS, "a", "S9")]) == ("a",)
    assert enumerators([*nine, Attempt(WINDOW_MS + 1, "a", "S9")]) == ()
    assert enumerators([*tries(5), *tries(9, client="b")]) == ()
    assert enumerators([*tries(10, 2000), *tries(10, client="b")]) == ("b", "a")


def test_the_same_serial_mistyped_is_one() -> None:
    """However often it is asked for."""
    assert enumerators([Attempt(n, "a", "S1") for n in range(1000)]) == ()


def test_an_old_attempt_does_not_count_however_often_another_is_repeated() -> None:
    """Repeating one serial keeps only that one fresh."""
    slow = [Attempt(n * 2 * MINUTE_MS, "a", f"S{n}") for n in range(30)]
    often = [Attempt(n * MINUTE_MS, "a", "S0") for n in range(60)]
    assert enumerators([*slow, *often]) == ()


# ── A thousand made-up objects of each kind ──────────────────────────────────────────────
# Their figures bound a change of the rules; they claim nothing about real scans.

SIZE = 1000


def jitter(draw: random.Random, country: str) -> Cell:
    lat, lon = PLACES[country]
    return lat + draw.randint(-1, 1), lon + draw.randint(-1, 1)


def scan_of(draw: random.Random, kind: Kind, at: int, country: str) -> Scan:
    return Scan(at, kind, f"c{draw.randrange(50)}", country, jitter(draw, country))


def catalogue(draw: random.Random) -> list[Scan]:
    """Before the sale the whole world looks, a famous lot hundreds of times."""
    count = int(draw.paretovariate(1.2) * 10)
    start = SOLD - 30 * DAY_MS
    kinds: list[Kind] = ["qr", "page", "page"]
    return [
        scan_of(draw, draw.choice(kinds), draw.randrange(start, SOLD), draw.choice([*PLACES]))
        for _ in range(min(count, 400))
    ]


def at_home(draw: random.Random, home: str) -> list[Scan]:
    """After it: the holder and their guests; a journey; now and then a far network."""
    scans = []
    for _ in range(draw.randint(0, 15)):
        country = home if draw.random() > 0.03 else draw.choice([*PLACES])
        scans.append(scan_of(draw, "qr", draw.randrange(SOLD, NOW), country))
    journey = draw.choice([*PLACES])
    away = draw.randrange(SOLD, NOW - 5 * DAY_MS)
    scans += [
        scan_of(draw, "qr", away + draw.randrange(5 * DAY_MS), journey)
        for _ in range(draw.randint(0, 3))
    ]
    return scans


def honest_qr(draw: random.Random) -> list[Scan]:
    return catalogue(draw) + at_home(draw, draw.choice([*PLACES]))


def honest_nfc(draw: random.Random) -> list[Scan]:
    """Taps of one chip: at home, and on one journey by air; a network a degree or two off."""
    home, away = draw.sample([*PLACES], 2)
    out = draw.randrange(SOLD + DAY_MS, NOW - 10 * DAY_MS)
    back = out + draw.randrange(2, 8) * DAY_MS
    scans, counter = [], draw.randrange(1, 50)
    for at in sorted(draw.randrange(SOLD, NOW) for _ in range(draw.randint(1, 20))):
        if not (out < at < out + DAY_MS or back < at < back + DAY_MS):  # nobody taps on board
            country = away if out < at < back else home
            counter += draw.randint(1, 4)
            scans.append(Scan(at, "nfc", "c", country, jitter(draw, country), counter, "verified"))
    return scans


def cloned_qr(draw: random.Random) -> list[Scan]:
    """Copies of one label, sold to buyers in many countries, each scanned a few times."""
    scans = honest_qr(draw)
    for _ in range(draw.randint(20, 60)):
        country = draw.choice([*PLACES])
        bought = draw.randrange(SOLD + 3 * DAY_MS, NOW - 5 * DAY_MS)
        scans += [
            scan_of(draw, "qr", bought + draw.randrange(5 * DAY_MS), country)
            for _ in range(draw.randint(1, 5))
        ]
    return scans


def cloned_nfc(draw: random.Random) -> list[Scan]:
    """The same, with one recorded tap of the real chip written into cheap tags."""
    scans = honest_nfc(draw)
    counter = draw.randint(1, 100)
    for copy in cloned_qr(draw):
        if copy.kind == "qr" and copy.at > SOLD + 3 * DAY_MS and draw.random() < 0.5:
            outcome = "replayed"
            scans.append(Scan(copy.at, "nfc", "c", copy.country, copy.cell, counter, outcome))
    return scans


def levels_of(make: Callable[[random.Random], list[Scan]]) -> dict[Level, int]:
    counted: dict[Level, int] = {"low": 0, "medium": 0, "high": 0}
    for seed in range(SIZE):
        counted[assess(make(random.Random(seed)), HELD).level] += 1
    return counted


@pytest.mark.parametrize(
    ("make", "at_least_medium", "high"),
    [
        (honest_qr, (0, 5), (0, 0)),
        (honest_nfc, (0, 1), (0, 1)),
        (cloned_qr, (990, 1000), (0, 1000)),
        (cloned_nfc, (990, 1000), (970, 1000)),
    ],
)
def test_honest_objects_are_left_alone_and_copies_are_found(
    make: Callable[[random.Random], list[Scan]],
    at_least_medium: tuple[int, int],
    high: tuple[int, int],
) -> None:
    """Of a thousand each, within the bounds beside the name."""
    counted = levels_of(make)
    assert at_least_medium[0] <= SIZE - counted["low"] <= at_least_medium[1], counted
    assert high[0] <= counted["high"] <= high[1], counted
