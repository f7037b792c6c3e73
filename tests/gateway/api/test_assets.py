"""What users are issued is said as it was done, whatever is asked under an old key."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from gateway.app import Gateway
from gateway.books.once import once
from gateway.books.store import writing

ANA, BO = "ana@example.com", "bo@example.com"


async def post(
    gateway: Gateway, web: httpx.AsyncClient, path: str, body: Any, key: str = ""
) -> tuple[int, Any]:
    """What the house's own key is answered."""
    headers = {"Authorization": f"Bearer {gateway.keys.secret_key}"}
    if key:
        headers["Idempotency-Key"] = key
    answer = await web.post(f"http://house{path}", json=body, headers=headers)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(("email", "amount"), [(ANA, 5), (BO, 7)])
async def test_another_issue_under_a_key_that_was_forgotten(
    gateway: Gateway, web: httpx.AsyncClient, email: str, amount: int
) -> None:
    """Answers are kept for two days, the ledger's lines for good: they tell the two apart."""
    made = {"type": "erc20", "symbol": "GLD", "name": "Gold"}
    _, asset = await post(gateway, web, "/asset", made)
    for one in (ANA, BO):
        await post(gateway, web, "/user", {"email": one})
    path = f"/asset/{asset['data']['id']}/issue"
    wish = {"email": ANA, "amount": 7}
    first = await post(gateway, web, path, wish, "k1")
    assert first[0] == 201
    with writing(gateway.books) as connection:
        assert connection.execute(delete(once)).rowcount > 0
    other = {"email": email, "amount": amount}
    status, said = await post(gateway, web, path, other, "k1")
    assert (status, said["error"]["code"]) == (422, "idempotency_key_reused")
    assert await post(gateway, web, path, wish, "k1") == first
