"""The pages' words in the reader's language: a phrase by its key, with what stands in it.

A phrase is text with ``{places}``; one that counts has a form for each of its language's
plural categories and is chosen by ``n``.  Nothing is guessed: a key that is not there, a place
that is given no value and a value that has no place are faults of the page, and raise.  The
browser's half is ``static/phrases.js``, which reads the same catalogues by the same rules.

Leaves to others: where the catalogues come from and which language is whose (``languages``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

Language = Literal["en", "de"]
Phrase = str | Mapping[str, str]  # of a phrase that counts: plural category → text

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
# What Intl is asked for in a language, and what the pages say they are written in.
LOCALES: Final[dict[Language, str]] = {"en": "en-GB", "de": "de-DE"}
# The plural categories of whole numbers (CLDR); English and German have the same two.
FORMS: Final[dict[Language, tuple[str, ...]]] = {"en": ("one", "other"), "de": ("one", "other")}
# In these n is written with its thousands set apart: a count is, a paddle number never is.
_MARK_OF_THOUSANDS: Final[dict[Language, str]] = {"en": ",", "de": "."}
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WANTED: Final = re.compile(
    r"\s*([a-z]{1,8}|\*)(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{1,3})?))?\s*"
)


class BadPhrase(LookupError):
    """The page asks for words that are not there, or says the wrong things in them."""


@dataclass(frozen=True)
class Phrases:
    """Everything that can be said in one language."""

    language: Language
    catalogue: Mapping[str, Phrase]

    @property
    def locale(self) -> str:
        return LOCALES[self.language]

    def say(self, key: str, /, **values: object) -> str:
        """The phrase with its places filled.  Raises ``BadPhrase``."""
        phrase = self.catalogue.get(key)
        if phrase is None:
            raise BadPhrase(f"no words for {key!r} in {self.language!r}")
        text = phrase if isinstance(phrase, str) else self._form(key, phrase, values)
        if (known := places(phrase)) != (given := frozenset(values)):
            raise BadPhrase(f"{key!r} has the places {sorted(known)}, not {sorted(given)}")
        return _PLACE.sub(lambda place: self._written(place[1], values[place[1]]), text)

    def of(self, areas: Iterable[str]) -> dict[str, Phrase]:
        """The words of some areas: those whose keys begin with their names."""
        wanted = frozenset(areas)
        return {
            key: phrase for key, phrase in self.catalogue.items() if key.partition(".")[0] in wanted
        }

    def _form(self, key: str, phrase: Mapping[str, str], values: Mapping[str, object]) -> str:
        count = values.get("n")
        if not isinstance(count, int):
            raise BadPhrase(f"{key!r} counts, and was given no number n")
        return phrase["one" if abs(count) == 1 else "other"]

    def _written(self, place: str, value: object) -> str:
        if place == "n" and isinstance(value, int):
            return f"{value:,}".replace(",", _MARK_OF_THOUSANDS[self.language])
        return str(value)


def places(phrase: Phrase) -> frozenset[str]:
    """What a phrase must be given: its places, and the number of one that counts."""
    if isinstance(phrase, str):
        return frozenset(_PLACE.findall(phrase))
    return frozenset({"n"}).union(*(_PLACE.findall(text) for text in phrase.values()))


def preferred(accept_language: str) -> Language:
    """The language of ours that a browser asks for most (RFC 9110, 12.5.4); else English."""
    best: Language = "en"
    most = 0.0
    for part in accept_language.lower()[:500].split(","):
        wanted = _WANTED.fullmatch(part)
        if wanted is None:
            continue
        weight = float(wanted[2] or 1)
        found = next((language for language in LANGUAGES if language == wanted[1]), None)
        if found is not None and weight > most:
            best, most = found, weight
    return best
