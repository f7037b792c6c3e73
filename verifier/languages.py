"""The public's pages in the reader's language: English as it stands in them, or German.

What is written in ``pages`` and ``templates/`` is English, and is its own name: the catalogue
``words.de.json`` has the German for each text.  A text that is missing there is a fault of the
page, and raises.  What the register holds, such as titles and reasons, is nobody's to translate.

The gateway's door says in ``accept-language`` what the reader has chosen, where they have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

Language = Literal["en", "de"]

LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
LOCALES: Final[Mapping[Language, str]] = {"en": "en-GB", "de": "de-DE"}
_GERMAN: Final = Path(__file__).parent / "words.de.json"
_WANTED: Final = re.compile(r"\s*([a-z]{2})(?:-[a-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{1,3})?))?\s*")
_MOST: Final = 500  # characters of a header that are looked at


class Words:
    """Says texts in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, text: str, /, **values: object) -> str:
        """The text, with what stands in its ``{places}``."""
        said = text if self.language == "en" else german()[text]
        return said.format(**values) if values else said

    def counted(self, one: str, many: str, n: int, **values: object) -> str:
        """One of two texts; ``{n}`` in them is the number, with its thousands set apart."""
        written = f"{n:,}" if self.language == "en" else f"{n:,}".replace(",", ".")
        return self(one if n == 1 else many, n=written, **values)

    def known(self, text: str) -> str:
        """The text in the reader's language where we have it: names that a house may add to."""
        return text if self.language == "en" else german().get(text, text)


@cache
def german() -> Mapping[str, str]:
    """English → German."""
    found: dict[str, str] = json.loads(_GERMAN.read_text(encoding="utf-8"))
    return found


def language_of(accept_language: str) -> Language:
    """What the reader's browser asks for most (RFC 9110, 12.5.4); else English."""
    best: Language = "en"
    most = 0.0
    for part in accept_language.lower()[:_MOST].split(","):
        wanted = _WANTED.fullmatch(part)
        if wanted is None:
            continue
        weight = float(wanted[2] or 1)
        for language in LANGUAGES:
            if language == wanted[1] and weight > most:
                best, most = language, weight
    return best
