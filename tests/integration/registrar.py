"""The house's registrar in the tests: objects, by the verifier's API, through the public port."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import httpx
from PIL import Image, ImageDraw

from tests.integration.open_house import House, Json

VERIFIER = "/api/v1/auction"
SHIPPED = Path(__file__).resolve().parents[2] / "gateway" / "static" / "lots"


@dataclass(slots=True)
class Registrar:
    """Whoever holds an operator key with every scope."""

    house: House
    key: str

    @classmethod
    def of(cls, house: House) -> Registrar:
        """With the operator key of keys.json."""
        return cls(house, house.keys.operator_key)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """The answer, whatever it is."""
        named = {} if body is None else {"json": body}
        headers = {"x-api-key": self.key}
        return self.house.web.request(method, VERIFIER + path, headers=headers, **named, **more)

    def post(self, path: str, body: Any, status: int = 201) -> Json:
        """What was answered, with this status."""
        return said(self.ask("POST", path, body), status)

    def get(self, path: str) -> Json:
        return said(self.ask("GET", path), 200)

    def refused(self, path: str, body: Any) -> tuple[int, str]:
        """Status and code of an error, which has the verifier's form."""
        return error_of(self.ask("POST", path, body))

    # ── What most tests begin with ───────────────────────────────────────────────────────

    def register(self, title: str = "A bowl", category: str = "collectible", **more: Any) -> Json:
        """A registered object."""
        body = {"title": title, "category": category, **more}
        found: Json = self.post("/objects/register", body)["object"]
        return found

    def photograph(self, found: Json, angle: str, picture: bytes) -> Json:
        """A photograph of this angle."""
        files = {"photo": (f"{angle}.jpg", picture, "image/jpeg")}
        path = f"/objects/{found['id']}/photos"
        return said(self.ask("POST", path, data={"angle": angle}, files=files), 201)

    def event(self, found: Json, event_type: str, **evidence: Any) -> Json:
        """An event that the house reports."""
        body = {
            "eventType": event_type,
            "actorRole": "auction_house",
            "description": "as seen",
            "evidence": evidence,
        }
        return self.post(f"/objects/{found['id']}/provenance", body)

    def bound(self, title: str = "A bowl", **more: Any) -> Json:
        """An object whose photographs bind it."""
        found = self.register(title, **more)
        for place, angle in enumerate(found["required_angles"]):
            self.photograph(found, angle, picture(f"{title} {found['serial']} {place}"))
        return found

    def ready(self, title: str = "A bowl", **more: Any) -> Json:
        """An object that may be put up for sale."""
        found = self.bound(title, **more)
        self.event(found, "cataloged", catalogNumber="214")
        return found

    def types(self, found: Json) -> list[str]:
        """The types of its events, oldest first."""
        events = self.get(f"/objects/{found['serial']}/provenance")["events"]
        return [event["type"] for event in events]


def said(answer: httpx.Response, status: int) -> Json:
    """What was answered, with this status."""
    assert answer.status_code == status, answer.text
    for name in ("x-request-id", "x-ratelimit-limit", "x-ratelimit-window"):
        assert answer.headers[name]
    found: Json = answer.json()
    return found


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error of the verifier's form."""
    body = answer.json()
    assert body.keys() == {"error", "meta"}
    assert {"code", "message"} <= body["error"].keys()
    assert body["meta"].keys() == {"requestId", "timestamp"}
    return answer.status_code, body["error"]["code"]


@cache
def picture(seed: str) -> bytes:
    """A picture of something that no other seed shows, as a JPEG."""
    draw_from = Random(seed)
    whole = Image.new("RGB", (640, 480), "white")
    pen = ImageDraw.Draw(whole)
    for _ in range(400):
        x, y = draw_from.randrange(640), draw_from.randrange(480)
        size = draw_from.randrange(4, 40)
        color = tuple(draw_from.randrange(256) for _ in range(3))
        shape = draw_from.choice([pen.rectangle, pen.ellipse])
        shape((x, y, x + size, y + draw_from.randrange(4, 40)), fill=color)
    written = BytesIO()
    whole.save(written, "JPEG", quality=90)
    return written.getvalue()
