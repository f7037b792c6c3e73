"""The table of calls → an OpenAPI 3.1 document.

What the document says is read from what the server does: a handler's signature is checked
at every request, so its types, lengths and patterns are what a client really meets.  Only
what no signature can say (headers, who may call, what an id looks like) is written here.

Pure: no handler is imported and no file read.  The document is a plain tree of JSON, the
same for the same calls; who serves it, and how it is shown to people, is told elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec

from gateway.core import samples
from gateway.core.bodies import Amount
from gateway.core.problems import CATALOGUE

Json = dict[str, Any]
Dialect = Literal["consumer", "operator", "verifier"]
Kind = Literal["anyone", "page", "consumer", "bidder", "house"]  # as in api.access

REF: Final = "#/components/schemas/{name}"
_REF_TO: Final = REF.format(name="")
VERSION: Final = "1.0.0"  # of the contract, not of the program
LONGEST_KEY: Final = 64  # characters of an Idempotency-Key
LONGEST_FINGERPRINT: Final = 128


@dataclass(frozen=True, slots=True)
class Described:
    """One call, as far as the document tells of it."""

    operation_id: str  # module.handler
    method: str
    path: str  # with {names} as the handler has them
    doc: str  # the handler's docstring: its first line is the summary
    kind: Kind
    scope: str = ""
    status: int = 200  # of a success
    dialect: Dialect = "consumer"
    body: Any = None  # its type; None: takes none
    body_is_optional: bool = False
    body_is_file: bool = False  # CSV instead of JSON
    body_is_form: bool = False  # multipart, with a file in it
    query: Any = None
    answer: Any = None  # its type; None: nothing is said, or what ``media`` says
    media: str = ""  # of an answer that no type describes
    more_statuses: tuple[int, ...] = ()  # other successes, with the same answer

    @property
    def tag(self) -> str:
        """The part of the API it belongs to."""
        return self.operation_id.partition(".")[0]


def document(calls: Sequence[Described]) -> Json:
    """The whole document."""
    types = _Types(calls)
    paths: dict[str, Json] = {}
    for call in calls:
        paths.setdefault(_templated(call), {})[call.method.lower()] = _operation(call, types)
    tags = dict.fromkeys(call.tag for call in calls)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fairwarning",
            "version": VERSION,
            "summary": "An open real-time auction house.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This house"}],
        "tags": [{"name": tag, "description": _TAGS.get(tag, "")} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": {**types.components, **_ERRORS},
            "securitySchemes": _SCHEMES,
            "headers": _HEADERS,
            "responses": _failures(),
        },
    }


# ── One call ─────────────────────────────────────────────────────────────────────────────


def _operation(call: Described, types: _Types) -> Json:
    summary, *more = _paragraphs(call.doc)
    operation: Json = {
        "operationId": call.operation_id,
        "tags": [call.tag],
        "summary": summary,
        "description": "\n\n".join([*more, _who(call)]),
        "security": _security(call),
        "parameters": [*_path_parameters(call), *types.query(call), *_headers_of(call)],
        "responses": _responses(call, types),
    }
    if call.body is not None:
        operation["requestBody"] = _request_body(call, types)
    return {key: value for key, value in operation.items() if value or key == "security"}


def _templated(call: Described) -> str:
    """The path as its dialect names things; on the wire a name is never seen."""
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{_named(call, found[1])}}}", call.path)


def _named(call: Described, name: str) -> str:
    if call.dialect == "operator":
        return "auction_bid_id" if name == "bid_id" else name
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _path_parameters(call: Described) -> list[Json]:
    return [
        {
            "name": _named(call, name),
            "in": "path",
            "required": True,
            "schema": _IDS[name],
            "example": samples.IDS[name],
        }
        for name in re.findall(r"\{(\w+)\}", call.path)
    ]


def _headers_of(call: Described) -> list[Json]:
    if call.operation_id in _CONDITIONAL:
        return [_IF_NONE_MATCH]
    if call.dialect == "verifier":
        return []
    if call.method != "POST" or call.tag == "sessions":
        return []
    fingerprint = [_FINGERPRINT] if call.operation_id in _FINGERPRINTED else []
    return [_IDEMPOTENCY_KEY, *fingerprint]


def _request_body(call: Described, types: _Types) -> Json:
    if call.body_is_file:
        return {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    schema = types.of(call.body)
    if call.body_is_form:
        return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    content = {"schema": schema, "example": samples.request(schema, types.components)}
    return {
        "required": not call.body_is_optional,
        "content": {"application/json": content},
    }


def _responses(call: Described, types: _Types) -> Json:
    responses = {
        str(status): _success(call, types) for status in (call.status, *call.more_statuses)
    }
    if call.operation_id in _FINGERPRINTED:
        waits = "The bid waits for the auctioneer."
        responses["202"] = {**_success(call, types), "description": waits}
    if call.operation_id in _CONDITIONAL:
        responses["304"] = {"description": "Nothing has changed.", "headers": _ON_EVERY_ANSWER}
    if call.operation_id in _LEADING_ON:
        responses["307"] = {"description": "It is there.", "headers": _ALWAYS[call.dialect]}
    dialect = call.dialect.title()
    return {
        **responses,
        "4XX": {"$ref": f"#/components/responses/{dialect}Refusal"},
        "503": {"$ref": f"#/components/responses/{dialect}Unavailable"},
        "5XX": {"$ref": f"#/components/responses/{dialect}Fault"},
    }


def _success(call: Described, types: _Types) -> Json:
    said = _SUCCESS.get(call.status, "Done.")
    answer: Json = {"description": said, "headers": _ALWAYS[call.dialect]}
    if call.media:
        schema = {"type": "object"} if call.media.endswith("json") else {"type": "string"}
        example = samples.answer(schema, types.components)
        answer["content"] = {call.media: {"schema": schema, "example": example}}
    if call.answer is not None:
        schema = types.of(call.answer)
        example = samples.answer(schema, types.components)
        answer["content"] = {"application/json": {"schema": schema, "example": example}}
    return answer


def _failures() -> Json:
    """The answers that are errors, by dialect and by who can do something about them."""
    return {
        f"{dialect.title()}{name}": {
            "description": description,
            "headers": {**_ALWAYS[dialect], "Retry-After": {"$ref": _HEADER + "Retry-After"}},
            "content": {"application/json": {"schema": _ERROR_OF[dialect]}},
        }
        for dialect in get_args(Dialect)
        for name, description in (
            ("Refusal", "Refused: it would not help to send the same again at once."),
            ("Unavailable", "Not answerable now; sent again with the same key, it may be."),
            ("Fault", "Something is wrong with the house."),
        )
    }


def _paragraphs(text: str) -> list[str]:
    """A docstring's paragraphs, without its indentation; at least one."""
    return [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip())]


def _who(call: Described) -> str:
    if call.kind == "house":
        return f"For a secret key, or an operator key with the scope `{call.scope}`."
    return _WHO[call.kind]


def _security(call: Described) -> list[Json]:
    """Each entry is one way in; the names within an entry are needed together."""
    if call.kind == "anyone":
        return []
    if call.kind == "house":
        return [{"secretKey": []}, {"operatorKey": [call.scope]}]
    if call.kind == "page":
        return [{"publishableKey": []}, {"secretKey": []}, {"operatorKey": []}]
    return [{"publishableKey": [], "accessToken": []}]


# ── The types of bodies, queries and answers ─────────────────────────────────────────────


class _Types:
    """Every type of the calls as a JSON schema."""

    def __init__(self, calls: Iterable[Described]) -> None:
        types: dict[Any, None] = {}
        queries: dict[Any, None] = {}
        for call in calls:
            types.update(dict.fromkeys(_types_of(call)))
            if call.query is not None:
                queries[call.query] = None
        schemas, found = _schemas(tuple(types))
        self._schemas = dict(zip(types, schemas, strict=True))
        self.components = dict(sorted(found.items()))
        references, self._parameters = _schemas(tuple(queries))
        self._queries = dict(zip(queries, references, strict=True))

    def of(self, wanted: Any) -> Json:
        """The schema of a body or an answer."""
        schema: Json = self._schemas[wanted]
        return schema

    def query(self, call: Described) -> list[Json]:
        """The parameters of a query: the fields of its type."""
        if call.query is None:
            return []
        fields = self._parameters[self._queries[call.query]["$ref"].rpartition("/")[2]]
        required = fields.get("required", ())
        return [
            _query_parameter(name, schema, name in required)
            for name, schema in fields["properties"].items()
        ]


def _types_of(call: Described) -> list[Any]:
    body = None if call.body_is_file else call.body
    return [wanted for wanted in (body, call.answer) if wanted is not None]


def _schemas(types: tuple[Any, ...]) -> tuple[tuple[Json, ...], Json]:
    schemas, components = msgspec.json.schema_components(types, schema_hook=_hook, ref_template=REF)
    plain: tuple[Json, ...] = _plain(schemas)
    return plain, {_name(name): _untitled(_plain(schema)) for name, schema in components.items()}


def _name(name: str) -> str:
    """``Data_Auction_`` → DataOfAuction; where two dialects have a type of one name, the
    module's is put before it: ``gateway.core.wire.consumer.Bid`` → ConsumerBid."""
    short = name.replace("gateway.core.wire.", "").replace("verifier.core.wire.", "verifier.")
    parts = short.strip("_").split("_")
    return "Of".join("".join(word[:1].upper() + word[1:] for word in p.split(".")) for p in parts)


def _untitled(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key != "title"}


def _query_parameter(name: str, schema: Json, required: bool) -> Json:
    return {
        "name": name,
        "in": "query",
        "required": required,
        **({"description": schema["description"]} if "description" in schema else {}),
        "schema": _without_null(schema),
    }


def _without_null(schema: Json) -> Json:
    """A query cannot say null: what may be null may be left out."""
    kept = {key: value for key, value in schema.items() if key not in ("default", "description")}
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    choices = [choice for choice in kept.pop("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **kept}
    return {**kept, "anyOf": choices} if choices else kept


def _hook(wanted: Any) -> Json:
    """What msgspec has no schema for."""
    if wanted is Amount:
        return {"anyOf": [_NUMBER, _DECIMAL_TEXT]}
    raise NotImplementedError(wanted)


def _plain(schema: Any) -> Any:
    """Schemas as they are on the wire: a Decimal is written as a number, digit by digit."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_plain, schema))
    if isinstance(schema, str):
        named = schema.removeprefix(_REF_TO)
        return schema if named == schema else _REF_TO + _name(named)
    if not isinstance(schema, Mapping):
        return schema
    if schema.get("contentEncoding") == "base64":  # a file of a form is sent as it is
        return {"type": "string", "format": "binary"}
    if schema.get("format") == "decimal":
        kept = {key: value for key, value in schema.items() if key != "format"}
        return {**kept, "type": "number"}
    return {key: _plain(value) for key, value in schema.items()}


# ── What no signature says ───────────────────────────────────────────────────────────────

_ABOUT: Final = """\
Three HTTP APIs to one auction house. An *auction* is the bidding on one lot.

**Consumer API** (`/api/v1`): bidders and the pages they use; and, with a secret key, running
sales, keys, payments and webhooks. camelCase; errors are `{"error": "…"}`.

**Operator API** (`/auction`, `/asset`, `/user`; `/alpha/…` is an alias of each): token auctions.
snake_case; answers are `{"data": …}`, errors `{"error": {"code": "…", "message": "…"}}`.

**Verifier API** (`/api/v1/auction/…`, and what a label's link leads to): objects, their
provenance and who holds them. Errors are `{"error": {"code": "…", "message": "…"}, "meta": …}`.

Money is a JSON number in major units, written exactly; a decimal string is taken too. Instants
are ISO 8601 in UTC. Every answer carries `X-Request-ID` and the rate it was counted against. A
key sees only what is of its own mode, live or test; all else is 404. What is sent again with the
same `Idempotency-Key` has the same answer and no second effect (consumer and operator API).

The live protocol (`/ws`) is described with the source.
"""

_TAGS: Final = {
    "auctions": "Bidding on a lot, and what the public sees of it.",
    "sessions": "Signing in and out.",
    "me": "What the house knows of a bidder, and the notices they get.",
    "sales": "Sales, their catalogues and who may bid in them.",
    "lots": "Putting lots up, and taking them through their life.",
    "payments": "What winners pay with, and what becomes of a lot that is not paid.",
    "apikeys": "The house's keys.",
    "webhooks": "Who is told of what happens.",
    "operator": "Token auctions and the bids on them (operator API).",
    "public": "Verification by anybody, and what labels lead to (verifier API).",
    "objects": "Objects: registered, photographed, tagged (verifier API).",
    "provenance": "What happened to an object, and the proof of it (verifier API).",
    "exports": "An object's record in the forms of others (verifier API).",
    "transfers": "From one holder to the next (verifier API).",
    "owners": "Who holds objects (verifier API).",
    "log": "The log that everything signed is in, for whoever checks it (verifier API).",
    "assets": "Assets, users and their balances (operator API).",
}

_WHO: Final = {
    "anyone": "Needs no key.",
    "page": "For a page's publishable key; a secret or an operator key does as well.",
    "consumer": "For a signed-in consumer: an access token beside the publishable key.",
    "bidder": (
        "For a signed-in consumer: an access token beside the publishable key. "
        "Without a token: 400 `Consumer ID is required`."
    ),
}

_SUCCESS: Final = {
    200: "Done.",
    201: "Made.",
    202: "Taken; it will be done.",
    204: "Done; nothing is said.",
}

_SCHEMES: Final[Json] = {
    "publishableKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Publishable-Key",
        "description": "`pk_live_…` or `pk_test_…`: which house and mode a page belongs to.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A consumer's access token, from signing in.",
    },
    "secretKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sk_live_… or sk_test_…",
        "description": "A secret key: it may do everything, and stays on the house's servers.",
    },
    "operatorKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "An operator key: it may do what its scopes say.",
    },
}

_SMALL: Final = "[0-9a-z]"
_SERIAL: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "description": "In any case, with or without spaces and hyphens.",
}
_IDS: Final[Mapping[str, Json]] = {
    "auction_id": {"type": "string", "pattern": f"^auction_{_SMALL}{{10}}_{_SMALL}{{4,32}}$"},
    "sequence_id": {"type": "string", "pattern": f"^seq_{_SMALL}{{10}}$"},
    "consumer_id": {"type": "string", "pattern": f"^(cons|guest)_{_SMALL}{{16}}$"},
    "bid_id": {"type": "string", "pattern": f"^bid_{_SMALL}{{24}}$"},
    "key_id": {"type": "string", "pattern": f"^key_{_SMALL}{{4,32}}$"},
    "webhook_id": {"type": "string", "pattern": f"^wh_{_SMALL}{{4,32}}$"},
    "delivery_id": {"type": "string", "pattern": f"^whk_{_SMALL}{{4,32}}$"},
    "asset_id": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "minLength": 1, "description": "Of a user, in any case."},
    "object_id": {"type": "string", "pattern": f"^obj_{_SMALL}{{16}}$"},
    "owner_id": {"type": "string", "pattern": f"^own_{_SMALL}{{16}}$"},
    "transfer_id": {"type": "string", "pattern": f"^trf_{_SMALL}{{16}}$"},
    "serial": _SERIAL,
    "serial_or_id": _SERIAL,
    "gtin": {"type": "string", "pattern": "^[0-9]{8,14}$"},
    "giai": {"type": "string", "minLength": 1, "description": "A prefix and a serial."},
    "rest": {"type": "string", "minLength": 1, "description": "Further pairs of a Digital Link."},
    "level": {"type": "string", "pattern": "^[0-9]{1,2}$"},
    "place": {"type": "string", "minLength": 1, "description": "As C2SP tlog-tiles writes it."},
}

# Not below nought; what else an amount must be depends on what it is for.
_NUMBER: Final[Json] = {"type": "number", "minimum": 0}
_DECIMAL_TEXT: Final[Json] = {
    "type": "string",
    "maxLength": 64,
    "pattern": r"^[+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$",
}

_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, a call has the same answer and no other effect.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
}
_FINGERPRINT: Final[Json] = {
    "name": "X-Fingerprint",
    "in": "header",
    "required": False,
    "description": "The device's fingerprint; recommended on bids.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_FINGERPRINT}}}$"},
}
_IF_NONE_MATCH: Final[Json] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an earlier answer: 304 as long as nothing but the time changes.",
    "schema": {"type": "string"},  # what is no tag is no condition
}
_CONDITIONAL: Final = ("auctions.read",)
_LEADING_ON: Final = ("public.resolve_item", "public.resolve_asset")
# A bid: with a device's fingerprint, and where the auctioneer takes them one by one it waits.
_FINGERPRINTED: Final = ("auctions.bid", "auctions.buy_now")

_HEADER: Final = "#/components/headers/"
_HEADERS: Final[Json] = {
    "X-Request-ID": {
        "required": True,
        "description": "This answer's name, for asking about it.",
        "schema": {"type": "string", "minLength": 1},
    },
    "X-RateLimit-Limit": {
        "required": True,
        "description": "Requests that may come at once.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Remaining": {
        "required": True,
        "description": "Requests that are left of them now.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Reset": {
        "required": True,
        "description": "When all of them are left again, in Unix seconds.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-RateLimit-Window": {
        "required": True,
        "description": "Over how many seconds they are counted.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Retry-After": {
        "required": False,
        "description": "When to come again: seconds, or the instant at which bidding opens.",
        "schema": {"type": "string"},
    },
}
_OF_SOME: Final = ("Retry-After", "X-RateLimit-Window")
_ON_EVERY_ANSWER: Final[Json] = {
    name: {"$ref": _HEADER + name} for name in _HEADERS if name not in _OF_SOME
}
_WINDOW: Final[Json] = {"X-RateLimit-Window": {"$ref": _HEADER + "X-RateLimit-Window"}}
_ALWAYS: Final[Mapping[Dialect, Json]] = {
    "consumer": _ON_EVERY_ANSWER,
    "operator": _ON_EVERY_ANSWER,
    "verifier": {**_ON_EVERY_ANSWER, **_WINDOW},
}

_FIELD: Final[Json] = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    "required": ["field", "message"],
    "additionalProperties": False,
}
_DETAILS: Final[Json] = {
    "description": "Which fields are wrong, or the state that stands in the way.",
    "anyOf": [{"type": "array", "items": _FIELD}, {"type": "object"}],
}
_REASON: Final[Json] = {"reason": {"type": "string", "description": "Of a photograph, a word."}}
_DETAILS_OF_VERIFIER: Final[Json] = {
    "description": "Which fields are wrong, or what stands in the way.",
    "anyOf": [
        {
            "type": "array",
            "items": {**_FIELD, "properties": {**_FIELD["properties"], **_REASON}},
        },
        {"type": "object"},
    ],
}
_ERRORS: Final[Json] = {
    "ConsumerError": {
        "description": "What went wrong, in the consumer API's exact words.",
        "type": "object",
        "properties": {
            "error": {"enum": sorted({known.text for known in CATALOGUE.values()})},
            "message": {"type": "string"},
            "details": _DETAILS,
            "code": {"type": "string", "description": "Of a refused registration."},
            "nextMinimumBid": {"type": "number", "description": "The lowest bid that would pass."},
            "retryAfter": {"type": "integer", "description": "Seconds."},
        },
        "required": ["error"],
    },
    "OperatorError": {
        "description": "What went wrong, by a code that stays the same.",
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"enum": sorted(CATALOGUE)},
                    "message": {"type": "string"},
                    "details": _DETAILS,
                },
                "required": ["code", "message"],
                "additionalProperties": False,
            }
        },
        "required": ["error"],
        "additionalProperties": False,
    },
    "VerifierError": {
        "description": "What went wrong, by a code that stays the same.",
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "pattern": "^[A-Z0-9_]+$"},
                    "message": {"type": "string"},
                    "details": _DETAILS_OF_VERIFIER,
                    "attempts_left": {"type": "integer", "description": "Of a transfer's code."},
                },
                "required": ["code", "message"],
                "additionalProperties": False,
            },
            "meta": {
                "type": "object",
                "properties": {
                    "requestId": {"type": "string"},
                    "timestamp": {"type": "string", "format": "date-time"},
                },
                "required": ["requestId", "timestamp"],
                "additionalProperties": False,
            },
        },
        "required": ["error", "meta"],
        "additionalProperties": False,
    },
    "VerifierUnknown": {
        "description": "No object has this serial: perhaps it is mistyped.",
        "type": "object",
        "properties": {"status": {"const": "unknown"}, "hint": {"type": "string"}},
        "required": ["status"],
    },
}
_ERROR_OF: Final[Mapping[Dialect, Json]] = {
    "consumer": {"$ref": REF.format(name="ConsumerError")},
    "operator": {"$ref": REF.format(name="OperatorError")},
    "verifier": {
        "anyOf": [
            {"$ref": REF.format(name="VerifierError")},
            {"$ref": REF.format(name="VerifierUnknown")},
        ]
    },
}
