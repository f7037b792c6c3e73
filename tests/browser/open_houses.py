"""A whole house behind a browser's tests, and people who come to it."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.keys import DemoBidder
from tests.integration.open_house import House, Person, house_in
from tests.processes import until

SETTINGS = {"DEMO": "1", "HTTP_RATE": "0", "OTP_RATE": "0", "BID_RATE": "0"}


@contextmanager
def demonstration_in(folder: Path) -> Iterator[House]:
    """An open house with its demonstration."""
    with house_in(folder, **SETTINGS) as house:
        yield house


def bidder(house: House, number: int) -> DemoBidder:
    """One of the demonstration's bidders."""
    assert house.keys.demo is not None
    return house.keys.demo.bidders[number]


def sale_of(house: House) -> str:
    """The demonstration's sale."""
    assert house.keys.demo is not None
    return house.keys.demo.sale_id


def lot_of(house: House, number: int) -> str:
    """One of the demonstration's lots; the first two close within minutes."""
    assert house.keys.demo is not None
    return house.keys.demo.auction_ids[number]


def bid(house: House, who: int, auction_id: str, amount: float, **more: Any) -> None:
    """A bid over the consumer API, that is taken."""
    person = bidder(house, who)
    answer = house.bid(
        auction_id, Person(person.consumer_id, person.token), {"amount": amount, **more}
    )
    assert answer.status_code == 200, answer.text


def mailed_code(house: House, address: str) -> str:
    """The code in the newest mail to this address."""
    codes: list[str] = []

    def has_come() -> bool:
        for file in sorted((house.data_dir / "mail").glob("*.eml")):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            found = re.search(r"\b\d{6}\b", mail.get_content())
            if address in mail["To"] and found is not None:
                codes.append(found[0])
        return bool(codes)

    until(has_come, "the mail with the code")
    return codes[-1]


def said(house: House, method: str, path: str, body: Any = None) -> Any:
    """A call with the house's secret key, that is taken."""
    headers = {"Authorization": f"Bearer {house.keys.secret_key}"}
    content = None if body is None else json.dumps(body)
    answer = house.web.request(method, f"/api/v1/{path}", content=content, headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None
