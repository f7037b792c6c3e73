"""Who sits at a clerk's page, what was filled in, and the page that answers.

Whoever is signed in at the desk with a key that may read the sales sees these pages; what
changes something needs the scope to write, and a form of our own pages (``gateway.desk``).
After a change the browser is led to a page that says in words what was done: the words travel
as a signed note, so that no link can put others into a page's mouth.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

import structlog
from markupsafe import Markup
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engine.streams import StreamError
from gateway import desk, pages
from gateway.api import calls
from gateway.api.access import READING_SCOPES, caller_of
from gateway.api.calls import Ask
from gateway.api.zones import zone_of
from gateway.archive import ArchiveError
from gateway.books.apikeys import ApiKey
from gateway.books.store import BooksError
from gateway.browsers import is_own, to_sign_in
from gateway.core.instants import format_instant
from gateway.core.money import format_range
from gateway.core.phrases import Language
from gateway.core.problems import Problem
from gateway.core.view import LotView, SaleView
from gateway.keys import BadToken, read_signed, sign
from gateway.languages import language_of, phrases_in

if TYPE_CHECKING:
    from gateway.app import Gateway

Handler = Callable[..., Awaitable[Response]]
Json = dict[str, Any]

WRITE: Final = "auctions:write"
LARGEST_FORM: Final = calls.LARGEST_OF_HOUSE
# A catalogue that is looked at first comes back within the form that enters it, as base64.
LARGEST_FILE_FORM: Final = 2 * calls.LARGEST_FILE
_NOTE: Final = "note+jwt"
_NOTE_LIVES_S: Final = 60  # a link that somebody keeps tells nothing any more
# With no-referrer a browser would send "Origin: null" with a form, and nobody could tell a form
# of ours from another site's.
_HEADERS: Final = {"referrer-policy": "same-origin"}

log = structlog.stdlib.get_logger()


class Form:
    """What was filled in, as texts."""

    def __init__(self, fields: Mapping[str, list[str]], files: Mapping[str, bytes] = {}) -> None:
        self._fields = fields
        self._files = files

    def text(self, name: str) -> str:
        """The field's text without blanks around it; empty where it was not sent."""
        return self._fields.get(name, [""])[0].strip()

    def texts(self, name: str) -> list[str]:
        """The texts of a field that may come several times."""
        return self._fields.get(name, [])

    def file(self, name: str) -> bytes:
        """A file that was chosen; empty: none was."""
        return self._files.get(name, b"")

    def all(self) -> dict[str, str]:
        """Every field's first text: to be shown again where something was wrong."""
        return {name: texts[0] for name, texts in self._fields.items()}


NO_FORM: Final = Form({})


@dataclass(frozen=True, slots=True)
class Clerk:
    """Whoever asks, at one page."""

    gateway: Gateway
    request: Request
    key: ApiKey
    form: Form = NO_FORM
    say: Callable[..., str] = field(default=str)  # the words in their language

    @property
    def may_write(self) -> bool:
        """May they change anything?"""
        return self.key.may(WRITE)

    def ask(self, what: str = "") -> Ask:
        """The same request as the consumer API takes it.

        A form that is sent twice is one wish: the id of its command follows from what stands
        in it once, and from *what* of several things that it is about.
        """
        once = self.form.text("once") or secrets.token_hex(8)
        named = f"{self.key.key_id}|{self.request.url.path}|{once}|{what}"
        cmd_id = hashlib.sha256(named.encode()).hexdigest()[:32]
        return Ask(self.gateway, self.request, caller_of(self.key), cmd_id)

    def sale(self, sale_id: str) -> SaleView:
        """The sale, of the key's mode.  Raises ``Problem`` 404."""
        return self.ask().sale(sale_id)

    def lots(self, sale: SaleView) -> list[LotView]:
        """The sale's lots in their order."""
        lots = [self.gateway.saleroom.lots[auction_id] for auction_id in sale.auction_ids]
        return [lot for lot in lots if lot.terms.tokens is None]  # those are sold by programs

    # ── Answers ──────────────────────────────────────────────────────────────────────────

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page for this clerk."""
        known = {
            "clerk": self.key.name,
            "may_write": self.may_write,
            "is_test": self.key.mode == "test",
            "once": secrets.token_hex(8),
            "note": self._note(),
            "here": self.request.url.path,
        }
        return self._render(template, status, {**known, **values})

    def part(self, template: str, **values: Any) -> str:
        """A piece of a page that is sent as it comes about."""
        return bytes(self._render(template, 200, values).body).decode()

    def _render(self, template: str, status: int, values: Json) -> Response:
        visit = pages.Visit.of(self.request)
        if self.request.method == "POST":
            # Whoever changes the language there comes back to a page that is opened.
            visit = pages.Visit(visit.language, "/admin")
        return pages.render(
            f"admin/{template}",
            visit,
            status=status,
            headers=_HEADERS,
            estimate=partial(format_range, language=visit.language),
            when=partial(_when, language=visit.language),
            **values,
        )

    def done(self, path: str, key: str, undo: Json | None = None, **values: object) -> Response:
        """Lead to a page that says what was done, in the words of *key*; with *undo*, how it is
        taken back."""
        now_s = self.gateway.clock.now() // 1000
        claims = {
            "key_id": self.key.key_id,
            "say": key,
            "with": {name: str(value) if name != "n" else value for name, value in values.items()},
            "undo": undo,
            "iat": now_s,
            "exp": now_s + _NOTE_LIVES_S,
        }
        note = urlencode({"note": sign(self.gateway.keys, _NOTE, claims)})
        path, _, anchor = path.partition("#")
        joint = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{joint}{note}" + (f"#{anchor}" if anchor else ""), 303)

    def _note(self) -> Json | None:
        token = self.request.query_params.get("note")
        if token is None:
            return None
        try:
            claims = read_signed(self.gateway.keys, _NOTE, token)
        except BadToken:
            return None
        if claims["key_id"] != self.key.key_id or self.gateway.clock.now() >= claims["exp"] * 1000:
            return None
        return {"text": self.say(claims["say"], **claims["with"]), "undo": claims["undo"]}


def _when(at: int, zone: str, *, language: Language) -> Markup:
    """An instant in the sale's own time, as an element that says it in UTC, too."""
    iso = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = format_instant(at, language, zone_of(zone))
    return Markup('<time datetime="{}">{}</time>').format(iso, words)


def page(handler: Handler, *, writes: bool = False, largest: int = LARGEST_FORM) -> Handler:
    """The endpoint of a page that *handler* answers; *writes*: only for who may change things."""

    async def serve(request: Request) -> Response:
        gateway: Gateway = request.app.state.gateway
        if request.method == "POST" and not is_own(gateway, request):
            return _foreign(request)
        key = desk.signed_in_key(gateway, request)
        if key is None:
            # What was sent is lost, and its own address is no page to come back to.
            is_get = request.method == "GET"
            return to_sign_in(request) if is_get else RedirectResponse("/sign-in?next=/admin", 303)
        clerk = Clerk(gateway, request, key, say=phrases_in(language_of(request)).say)
        try:
            calls.take(gateway, "key", f"key:{key.key_id}")
            _admit(clerk, writes=writes)
            if request.method == "POST":
                form = await form_of(request, largest)
                clerk = Clerk(gateway, request, key, form, clerk.say)
            return await handler(clerk, **request.path_params)
        except Problem as problem:
            return refused(clerk, problem)
        except (ArchiveError, BooksError, StreamError) as failure:
            log.warning("a page cannot be shown", path=request.url.path, reason=str(failure))
            return refused(clerk, Problem("unavailable"))

    return serve


def _foreign(request: Request) -> Response:
    """Somebody else's page has sent the form: nothing is done, and nobody is looked up."""
    visit = pages.Visit(language_of(request), "/admin")
    return pages.render("admin/foreign.html", visit, status=403, headers=_HEADERS)


def _admit(clerk: Clerk, *, writes: bool) -> None:
    """Raises ``Problem`` where the key does not open this."""
    wanted = (WRITE,) if writes else READING_SCOPES["auctions:read"]
    if not any(clerk.key.may(scope) for scope in wanted):
        raise Problem("insufficient_scope")


def refused(clerk: Clerk, problem: Problem) -> Response:
    """A page that says why something was not done or is not shown."""
    response = clerk.page(
        "refused.html",
        status=problem.status,
        text=problem_text(clerk, problem),
        is_post=clerk.request.method == "POST",
    )
    response.headers.update(problem.headers)
    return response


# ── Forms ────────────────────────────────────────────────────────────────────────────────


class _InMemory(MultiPartParser):
    """Keeps a catalogue out of temporary files: reserves are in it."""

    spool_max_size = LARGEST_FILE_FORM


async def form_of(request: Request, largest: int) -> Form:
    """What was filled in.  Raises ``Problem``."""
    kind = request.headers.get("content-type", "")
    body = await calls.body_of(request, largest)
    if not kind.startswith("multipart/form-data"):
        text = body.decode("utf-8", "replace")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=20_000))

    async def once() -> Any:
        yield body

    try:
        form = await _InMemory(request.headers, once(), max_files=1, max_fields=100).parse()
    except MultiPartException as fault:
        raise Problem("invalid", fault.message) from fault
    fields: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            fields.setdefault(name, []).append(value)
    await form.close()
    return Form(fields, files)


# ── What was wrong, in words ─────────────────────────────────────────────────────────────

# Objections of the API, which are sentences there, to one field each.
_SAID: Final[Mapping[str, str]] = {
    "after openAt": "after-opening",
    "not before the lot closes": "not-before-close",
    "out of range": "out-of-range",
    "a number or a decimal string was expected": "number",
    "a time zone such as Europe/Berlin was expected": "zone",
    "a currency of ISO 4217 was expected": "currency",
    "the first tier begins at 0": "first-tier",
    "tiers of [from, percent] must ascend by 'from'": "tiers",
    "a percentage from 0 to 100 was expected": "percent",
    "a reason was expected": "reason",
    "the low estimate is above the high one": "estimate",
    "no object has this serial": "serial",
    "only where one winner is found by rising bids": "no-buy-now",
    "only for the format dutch": "only-dutch",
    "the format dutch needs it": "dutch-needs",
    "of a falling price the floor is the reserve": "dutch-reserve",
    "not above startingBid": "above-opening",
    "a falling price must begin somewhere": "dutch-start",
    "only with a winnerCount of 1": "one-object",
    "either a minimum increment or increments": "one-increment",
    "this cell must not be empty": "empty",
    "an unknown column": "unknown-column",
    "this column comes twice": "twice",
    "this column is needed": "needed",
    "a lot with this number comes above": "number-twice",
    "this lot is open or over: it cannot be changed": "fixed",
}


def fault_text(clerk: Clerk, message: str) -> str:
    """An objection in the reader's language; one without words of its own as it is."""
    key = _SAID.get(message)
    return message if key is None else clerk.say(f"admin.fault.{key}")


def problem_text(clerk: Clerk, problem: Problem) -> str:
    """Why something was not done, as a sentence."""
    text = clerk.say(f"admin.problem.{_known(problem.code)}")
    faults = faults_of(clerk, problem)
    named = "; ".join(f"{name}: {said}" for name, said in faults.items())
    if not named and problem.message and problem.code in _TELLING:
        named = problem.message
    return f"{text} {named}".strip()


_TELLING: Final = ("conflict", "invalid_transition", "binding_required", "invalid")
_PROBLEMS: Final = frozenset(
    (
        "invalid",
        "insufficient_scope",
        "unavailable",
        "rate_limited",
        "too_large",
        "too_slow",
        "auction_not_found",
        "sequence_not_found",
        "registration_not_found",
        "invalid_transition",
        "not_editable",
        "binding_required",
        "exists",
        "in_use",
        "conflict",
        "wrong_format",
    )
)


def _known(code: str) -> str:
    if code == "invalid_amount":
        return "invalid"
    return code if code in _PROBLEMS else "other"


def faults_of(clerk: Clerk, problem: Problem) -> dict[str, str]:
    """What was wrong with which field, by the contract's names."""
    if not isinstance(problem.details, list):
        return {}
    return {
        fault["field"].removeprefix("terms.").partition("[")[0]: fault_text(clerk, fault["message"])
        for fault in problem.details
    }
