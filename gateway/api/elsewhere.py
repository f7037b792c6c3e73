"""The methods that a path of the table does not take: 405, with all those that it takes.

Starlette would name only the methods of the first row that has the path.  These routes match
every method, so they come after the table's own.  How a 405 reads, the application says.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send


def routes(own: Iterable[Route]) -> list[Route]:
    """A route for each path of *own* that refuses every method."""
    methods: dict[str, set[str]] = {}
    for route in own:
        methods.setdefault(route.path, set()).update(route.methods or ())
    return [Route(path, _Refusing(taken)) for path, taken in methods.items()]


class _Refusing:
    """Refuses; an object, for a function's route would take the method GET alone."""

    def __init__(self, taken: set[str]) -> None:
        self._allow = ", ".join(sorted(taken))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(405, headers={"Allow": self._allow})
