"""A bid without a script, from the lot's page to its answer, through a whole house."""

from __future__ import annotations

import re
from html import unescape

import httpx

from loadtests.house import House, open_house


def _fields(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent there."""
    form = re.search(rf'<form method="post" action="{re.escape(action)}">(.*?)</form>', page, re.S)
    assert form, page
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[1])
    return {name: unescape(value) for name, value in found}


def _client(house: House) -> httpx.AsyncClient:
    url = f"http://127.0.0.1:{house.settings.port}"
    return httpx.AsyncClient(base_url=url, follow_redirects=True)


async def test_a_form_is_asked_once_more_and_then_bids_once() -> None:
    """Seen, confirmed, answered in words; sent again it is answered again and bids no more."""
    async with open_house({"DEMO": "1"}) as house, _client(house) as ada, _client(house) as anyone:
        assert house.keys.demo is not None
        lot = f"/lot/{house.keys.demo.auction_ids[3]}"
        signed_in = await ada.get(house.keys.demo.bidders[0].url, params={"next": lot})
        fields = _fields(signed_in.text, f"{lot}/bid")
        assert int(fields["amount"]) > 0

        second_look = await ada.post(f"{lot}/bid", data=fields)
        assert "Confirm your bid of" in second_look.text
        assert "Nothing has been bid yet" in second_look.text
        again = await ada.get(lot)
        assert "No bids yet" in again.text

        confirmed = _fields(second_look.text, f"{lot}/bid")
        assert confirmed["cmdId"] == fields["cmdId"]
        for _ in range(2):
            answer = await ada.post(f"{lot}/bid", data=confirmed)
            assert "You lead at" in answer.text
        after = await ada.get(lot)
        assert "1 bid from 1 bidder" in after.text

        other = {**confirmed, "amount": str(int(confirmed["amount"]) - 1)}
        reused = await ada.post(f"{lot}/bid", data=other)
        assert "was not placed" in reused.text
        assert "under the same number" in reused.text
        nonsense = await ada.post(f"{lot}/bid", data={**fields, "amount": "1e9"})
        assert "We could not read that bid. You have not bid." in nonsense.text

        elsewhere = {"origin": "https://elsewhere.example"}
        foreign = await ada.post(f"{lot}/bid", data=confirmed, headers=elsewhere)
        assert foreign.status_code == 403
        stranger = await anyone.post(f"{lot}/bid", data=confirmed, follow_redirects=False)
        assert (stranger.status_code, stranger.headers["location"]) == (303, f"/sign-in?next={lot}")
