"""The catalogues themselves, held to each other and to the pages, and the reader's choice."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gateway import catalogue, languages, pages
from gateway.core.phrases import FORMS, LANGUAGES, Phrase, places
from gateway.languages import WORDS, own_path, phrases_in

GATEWAY = Path(pages.__file__).parent
STATIC = pages.STATIC
NODE = "node"

ENGLISH = phrases_in("en").catalogue
AREAS = sorted({file.name.partition(".")[0] for file in WORDS.iterdir()})
# A key, or the beginning of one that ends in a point, wherever it is written down.
_WRITTEN = re.compile(rf"""["'`]((?:{"|".join(AREAS)})\.[\w.-]*)""")
_SAID = re.compile(r"""\b(?:t|say)\(\s*(["'`])([\w.-]+)\1""")


def _sources() -> Iterator[tuple[str, str]]:
    """Every file that can say a phrase."""
    found = [*GATEWAY.rglob("*.py"), *GATEWAY.rglob("*.html"), *STATIC.glob("*.js")]
    for file in sorted(found):
        yield file.name, file.read_text(encoding="utf-8")


def test_each_area_has_each_language_and_keeps_to_its_own_keys() -> None:
    """Two files an area, no key twice, and every key begins with its area's name."""
    assert sorted(file.name for file in WORDS.iterdir()) == sorted(
        f"{area}.{language}.json" for area in AREAS for language in LANGUAGES
    )
    for file in WORDS.iterdir():
        pairs = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list)
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), file.name
        assert [key for key in keys if not key.startswith(file.name.split(".")[0] + ".")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_languages_say_the_same_things(language: Any) -> None:
    """The same keys, the same places, a form for each category, and nothing empty."""
    catalogue = phrases_in(language).catalogue
    assert sorted(catalogue) == sorted(ENGLISH)
    for key, phrase in catalogue.items():
        assert places(phrase) == places(ENGLISH[key]), key
        assert isinstance(phrase, str) == isinstance(ENGLISH[key], str), key
        if not isinstance(phrase, str):
            assert tuple(sorted(phrase)) == FORMS[language], key
        texts = [phrase] if isinstance(phrase, str) else phrase.values()
        assert all(text.strip() == text != "" for text in texts), key


def test_no_page_says_what_is_not_there() -> None:
    """Every key that a template, a module or a page's Python says is in the catalogue."""
    missing = [
        (name, key)
        for name, text in _sources()
        for _, key in _SAID.findall(text)
        if "." in key and not key.endswith(".") and key not in ENGLISH
    ]
    assert missing == []


def test_no_words_are_left_over() -> None:
    """Every key is written somewhere, itself or its beginning up to a point."""
    written = {key for _, text in _sources() for key in _WRITTEN.findall(text)}
    beginnings = tuple(key for key in written if key.endswith("."))
    unused = [key for key in ENGLISH if key not in written and not key.startswith(beginnings)]
    assert unused == []


def _values(phrase: Phrase, n: int) -> dict[str, Any]:
    return {place: n if place == "n" else f"<{place}>" for place in sorted(places(phrase))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_server_and_browser_say_the_same(language: Any) -> None:
    """Every phrase with every kind of number, filled here and by the page's own module."""
    phrases = phrases_in(language)
    asked = [
        (key, _values(phrase, n))
        for key, phrase in phrases.catalogue.items()
        for n in ((0, 1, 2, 1_284, 1_000_001) if "n" in places(phrase) else (0,))
    ]
    program = (
        f'import {{ sayer }} from "{(STATIC / "phrases.js").as_uri()}";'
        "let text = ''; for await (const part of process.stdin) text += part;"
        "const { words, locale, asked } = JSON.parse(text); const t = sayer(words, locale);"
        "console.log(JSON.stringify(asked.map(([key, values]) => t(key, values))));"
    )
    given = {"words": phrases.catalogue, "locale": phrases.locale, "asked": asked}
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == [phrases.say(key, **values) for key, values in asked]


# ── whose language ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def reader() -> AsyncIterator[httpx.AsyncClient]:
    """A browser that asks for German, at a house of nothing but the front page."""

    async def front(request: Any) -> Any:
        return catalogue.front_page(pages.Visit.of(request), [])

    app = Starlette(routes=languages.routes())
    app.add_route("/", front)
    app.state.gateway = SimpleNamespace(settings=SimpleNamespace(public_url="http://house.example"))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://house.example",
        headers={"accept-language": "de-AT,de;q=0.9"},
    ) as client:
        yield client


async def test_a_browser_is_answered_as_it_asks(reader: httpx.AsyncClient) -> None:
    """The words, and what the page says it is written in."""
    page = (await reader.get("/")).text
    assert '<html lang="de-DE" dir="ltr">' in page
    assert "<h1>Katalog</h1>" in page


async def test_the_choice_goes_before_the_browsers_own(reader: httpx.AsyncClient) -> None:
    """The switch keeps it for a year, and comes back to where it was made."""
    page = (await reader.get("/?sale=1")).text
    assert '<input type="hidden" name="next" value="/?sale=1">' in page
    answer = await reader.post("/language", data={"language": "en", "next": "/?sale=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?sale=1")
    assert "Max-Age=31536000" in answer.headers["set-cookie"]
    assert "<h1>Catalogue</h1>" in (await reader.get("/")).text


async def test_a_cookie_of_no_language_is_passed_over(reader: httpx.AsyncClient) -> None:
    """Whatever stands in the cookie, there is a page."""
    reader.cookies.set("lang", "../../etc/passwd")
    assert "<h1>Katalog</h1>" in (await reader.get("/")).text


async def test_no_other_language_can_be_chosen(reader: httpx.AsyncClient) -> None:
    """What we do not speak is refused, as is a form of another size than ours."""
    assert (await reader.post("/language", data={"language": "xx"})).status_code == 400
    assert (await reader.post("/language", data={"language": "e" * 9_000})).status_code == 413
    assert "set-cookie" not in (await reader.post("/language")).headers


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil", "", "x"]
)
def test_nobody_is_sent_elsewhere(target: str) -> None:
    """Only a path of ours is gone back to."""
    assert own_path(target) == "/"
    assert own_path("/lot/214?tab=bids") == "/lot/214?tab=bids"
