"""Every answer that is an error, in the words of the verifier's contract.

A refusal is known by its code; ``CATALOGUE`` says for each its status and a sentence.  What
the registry raises means one of them, and ``meaning`` says which: handlers let it pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from gateway.books.store import BadField, BooksError
from gateway.core.problems import Problem
from verifier.core.canonical import NotCanonical
from verifier.core.objects import InvalidState
from verifier.photographs.workers import (
    BadPicture,
    MatchingUnavailable,
    PictureTooHard,
    WorkerFailed,
    WorkersBusy,
)
from verifier.registry import chain, objects, owners, provenance, tags, transfers

Json = dict[str, Any]


class Known(NamedTuple):
    """What is said of a code wherever it comes."""

    status: int
    sentence: str


CATALOGUE: Final[Mapping[str, Known]] = {
    # The request itself
    "INVALID_JSON": Known(400, "The body is not the JSON object that was expected."),
    "MISSING_REQUIRED_FIELD": Known(400, "A required field is missing."),
    "INVALID_FIELD": Known(400, "A field is not valid."),
    "NOT_FOUND": Known(404, "There is nothing here."),
    "METHOD_NOT_ALLOWED": Known(405, "Not by this method."),
    "REQUEST_TIMEOUT": Known(408, "The request's body came too slowly."),
    "PAYLOAD_TOO_LARGE": Known(413, "The request's body is too large."),
    "UNSUPPORTED_MEDIA_TYPE": Known(415, "Not in this format."),
    "RATE_LIMITED": Known(429, "Too many requests; come back later."),
    "INTERNAL": Known(500, "Something went wrong here."),
    "UNAVAILABLE": Known(503, "This cannot be answered now; try again."),
    "MATCHING_UNAVAILABLE": Known(503, "Photographs cannot be compared on this installation."),
    # Who asks
    "MISSING_API_KEY": Known(401, "An API key is required in x-api-key."),
    "INVALID_API_KEY": Known(401, "This is not an API key of this house."),
    "EXPIRED_API_KEY": Known(401, "This API key has expired."),
    "REVOKED_API_KEY": Known(401, "This API key was revoked."),
    "INSUFFICIENT_SCOPE": Known(403, "This API key may not do that."),
    # What is asked for
    "OBJECT_NOT_FOUND": Known(404, "There is no such object."),
    "TRANSFER_NOT_FOUND": Known(404, "There is no such transfer."),
    "OWNER_NOT_FOUND": Known(404, "There is no such owner."),
    "INVALID_STATE": Known(409, "Not in its present state."),
    "BINDING_REQUIRED": Known(409, "Not before all required photographs are there."),
    "DUPLICATE_SERIAL": Known(409, "There is an object with this serial."),
    "TAG_ALREADY_BOUND": Known(409, "The object has a tag, or the tag another object."),
    "NOT_OWNER": Known(409, "Somebody else holds the object."),
    "TRANSFER_PENDING": Known(409, "A transfer is open."),
    "INVALID_TRANSFER_CODE": Known(400, "This is not the code."),
    "TRANSFER_LOCKED": Known(410, "There are no more attempts."),
    "TRANSFER_EXPIRED": Known(410, "The code was not used in time; have a new one issued."),
}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        details: object = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """*more*: what stands in ``error`` itself, beside code and message."""
        super().__init__(code)
        known = CATALOGUE[code]
        self.code = code
        self.status = known.status
        self.message = message or known.sentence
        self.details = details
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def body(self, request_id: str, timestamp: str) -> Json:
        """What is answered."""
        error: Json = {"code": self.code, "message": self.message, **self.more}
        if self.details is not None:
            error["details"] = self.details
        return {"error": error, "meta": {"requestId": request_id, "timestamp": timestamp}}


def bad_field(field: str, message: str) -> Refusal:
    """A field that makes no sense."""
    said = [{"field": field, "message": message}]
    return Refusal("INVALID_FIELD", f"{field}: {message}", details=said)


def missing(field: str) -> Refusal:
    """A field that is required and was not said."""
    said = [{"field": field, "message": "it is required"}]
    return Refusal("MISSING_REQUIRED_FIELD", f"{field} is required", details=said)


def limited(wait_ms: int) -> Refusal:
    """Too much; there is more again after *wait_ms*."""
    return Refusal("RATE_LIMITED", headers={"Retry-After": str(-(-wait_ms // 1000))})


_MISSING: Final = re.compile(r"missing required field `(.*?)`")


def of_body(problem: Problem) -> Refusal:
    """What ``gateway.core.bodies`` found wrong with a body or a query."""
    details = problem.details
    if not isinstance(details, list):
        return Refusal("INVALID_JSON", problem.message)
    field, message = details[0]["field"], details[0]["message"]
    if found := _MISSING.search(message):
        return missing(found[1] if field == found[1] else f"{field}.{found[1]}")
    if message.endswith("got `null`"):  # a field that may be left out may be null too
        return missing(field)
    return bad_field(field, message)


def meaning(error: Exception) -> Refusal | None:
    """What an exception of the registry is to the caller; None: it is no refusal."""
    for kind in type(error).__mro__:
        if kind in _MEANINGS:
            return _MEANINGS[kind](error)
    return None


def _wrong_code(error: transfers.WrongCode) -> Refusal:
    left = {"attempts_left": error.left}
    return Refusal("INVALID_TRANSFER_CODE", details=left, more=left)


def _invalid_state(error: InvalidState) -> Refusal:
    said = {"state": error.state, "allowed": list(error.allowed)}
    return Refusal("INVALID_STATE", str(error), details=said)


def _wrong_state(error: transfers.WrongState) -> Refusal:
    message = f"The transfer is {error.state}."
    return Refusal("INVALID_STATE", message, details={"state": error.state})


def _auction_open(error: chain.AuctionOpen) -> Refusal:
    message = "An auction of this house is open on the object."
    return Refusal("INVALID_STATE", message, details={"auctionId": str(error)})


def _no_owner(error: owners.NoSuchOwner) -> Refusal:
    return Refusal("OWNER_NOT_FOUND", details={"owner_id": str(error)})


_PICTURES: Final = {
    "too_large": "PAYLOAD_TOO_LARGE",
    "too_many_pixels": "PAYLOAD_TOO_LARGE",
    "unsupported": "UNSUPPORTED_MEDIA_TYPE",
    "several_frames": "UNSUPPORTED_MEDIA_TYPE",
}


def _bad_picture(error: BadPicture) -> Refusal:
    said = [{"field": "photo", "message": str(error), "reason": error.code}]
    return Refusal(_PICTURES.get(error.code, "INVALID_FIELD"), str(error), details=said)


def _later(_: Exception) -> Refusal:
    return Refusal("UNAVAILABLE", headers={"Retry-After": "1"})


def _pending(error: transfers.TransferPending) -> Refusal:
    return Refusal("TRANSFER_PENDING", details={"transferId": error.transfer_id})


_MEANINGS: Final[Mapping[type[BaseException], Callable[[Any], Refusal]]] = {
    BadField: lambda error: bad_field(error.field, str(error)),
    BadPicture: _bad_picture,
    BooksError: _later,
    InvalidState: _invalid_state,
    MatchingUnavailable: lambda _: Refusal("MATCHING_UNAVAILABLE"),
    # Of what was said a field is named before this; here an entry of the log was touched.
    NotCanonical: lambda _: Refusal("UNAVAILABLE", "The record is damaged; the house is told."),
    PictureTooHard: lambda error: bad_field("photo", str(error)),
    Problem: of_body,
    WorkerFailed: _later,
    WorkersBusy: _later,
    chain.AuctionOpen: _auction_open,
    chain.NoSuchObject: lambda _: Refusal("OBJECT_NOT_FOUND"),
    objects.DuplicateSerial: lambda _: Refusal("DUPLICATE_SERIAL"),
    owners.NoSuchOwner: _no_owner,
    owners.StillNeeded: lambda _: Refusal("TRANSFER_PENDING", "A transfer of theirs is open."),
    provenance.BindingRequired: lambda _: Refusal("BINDING_REQUIRED"),
    tags.TagBound: lambda _: Refusal("TAG_ALREADY_BOUND"),
    transfers.Expired: lambda _: Refusal("TRANSFER_EXPIRED"),
    transfers.Locked: lambda _: Refusal("TRANSFER_LOCKED"),
    transfers.NoSuchTransfer: lambda _: Refusal("TRANSFER_NOT_FOUND"),
    transfers.NotOwner: lambda _: Refusal("NOT_OWNER"),
    transfers.TransferPending: _pending,
    transfers.WrongCode: _wrong_code,
    transfers.WrongState: _wrong_state,
}
