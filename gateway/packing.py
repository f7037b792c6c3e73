"""Static files, packed for the way.

The pages' scripts and sheets lie as they are written, comments and all, and nothing makes them
smaller beforehand.  So each is packed by the first browser that asks for it, and kept for all
others; a file that has changed is packed anew.  Fonts and photographs are packed by nature.
"""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_KINDS: Final = (".js", ".css", ".svg", ".webmanifest")
_MOST: Final = 500  # files: several times what there is


class Packed(StaticFiles):
    """Serves a folder, with texts in gzip where the browser takes it."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, or that the browser has it already."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        if not str(full_path).endswith(_KINDS):
            return plain
        plain.headers["vary"] = "accept-encoding"
        if not isinstance(plain, FileResponse) or not _takes_gzip(scope):
            return plain
        headers = {**plain.headers, "content-encoding": "gzip"}
        del headers["content-length"], headers["accept-ranges"]
        return Response(_packed(str(full_path), stat_result.st_mtime_ns), status_code, headers)


def _takes_gzip(scope: Scope) -> bool:
    found = (value for name, value in scope["headers"] if name == b"accept-encoding")
    offers = (offer.partition(b";") for value in found for offer in value.split(b","))
    return any(name.strip() == b"gzip" and b"q=0" not in weight for name, _, weight in offers)


@lru_cache(_MOST)
def _packed(path: str, _changed_at: int) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
