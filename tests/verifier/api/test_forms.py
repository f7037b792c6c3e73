"""Forms with a photograph, and those who send one slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.verifier.api.house import House

KIND = {"content-type": "multipart/form-data; boundary=b"}
HEAD = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'


async def test_slow_forms_keep_nobody(house: House) -> None:
    """However many trickle in, one that is there is read at once."""
    found = await house.bound()
    path = f"public/verify/{found['serial']}/photo"
    begun, end = 0, asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield HEAD
        await end.wait()
        yield b"x\r\n--b--\r\n"

    def send(content: AsyncIterator[bytes] | bytes, address: str) -> asyncio.Task[int]:
        async def status() -> int:
            asked = house.ask(
                "POST", path, key="missing", address=address, headers=KIND, content=content
            )
            return (await asked).status_code

        return asyncio.create_task(status())

    slow_ones = [send(slow(), f"203.0.113.{number}") for number in range(8)]
    async with asyncio.timeout(5):
        assert await send(HEAD + b"x\r\n--b--\r\n", "198.51.100.1") == 200
        while begun < len(slow_ones):
            await asyncio.sleep(0.005)
    end.set()
    async with asyncio.timeout(10):
        assert {await one for one in slow_ones} <= {200, 503}  # compared are only a few at once
