"""Words by their keys: what is filled in, what is refused, and whose language is chosen."""

from __future__ import annotations

import pytest

from gateway.core.phrases import BadPhrase, Phrase, Phrases, places, preferred

CATALOGUE: dict[str, Phrase] = {
    "lot.leads": "Paddle {paddle} leads at {price}",
    "lot.bids": {"one": "{n} bid", "other": "{n} bids"},
    "common.skip": "Skip",
}
ENGLISH = Phrases("en", CATALOGUE)
GERMAN = Phrases("de", CATALOGUE)


def test_places_are_filled_and_a_paddle_is_no_count() -> None:
    """A value stands as it is; only n gets its thousands set apart."""
    said = ENGLISH.say("lot.leads", paddle=1207, price="€44,000")
    assert said == "Paddle 1207 leads at €44,000"


def test_a_count_chooses_its_form() -> None:
    """One bid, and any other number of bids, written as the language writes numbers."""
    said = [ENGLISH.say("lot.bids", n=n) for n in (0, 1, 2, 1284)]
    assert said == ["0 bids", "1 bid", "2 bids", "1,284 bids"]
    assert GERMAN.say("lot.bids", n=1284) == "1.284 bids"


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("lot.nothing", {}),
        ("lot.leads", {"paddle": 1}),
        ("lot.leads", {"paddle": 1, "price": "€1", "more": 2}),
        ("lot.bids", {}),
        ("lot.bids", {"n": "2"}),
    ],
)
def test_a_fault_of_the_page_is_no_guess(key: str, values: dict[str, object]) -> None:
    """No such key, a place without a value, a value without a place, no number: each raises."""
    with pytest.raises(BadPhrase):
        ENGLISH.say(key, **values)


def test_an_area_is_what_its_keys_begin_with() -> None:
    """A page is given the words of its areas and no others."""
    assert set(ENGLISH.of(["lot"])) == {"lot.leads", "lot.bids"}
    assert ENGLISH.of(["l"]) == {}


def test_a_phrase_that_counts_wants_its_number_even_unwritten() -> None:
    """The number chooses the form, whether or not it is said."""
    assert places({"one": "a bid", "other": "bids"}) == {"n"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, en;q=0.5", "de"),
        ("fr, de;q=0.8, en;q=0.9", "en"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr, de;q=0", "en"),
        ("de;q=0.5;q=1", "en"),
        ("*", "en"),
        ("§$%, de", "de"),
        ("dexter", "en"),
    ],
)
def test_the_language_asked_for_most(asked: str, language: str) -> None:
    """The best of ours by weight; what cannot be read is passed over."""
    assert preferred(asked) == language
