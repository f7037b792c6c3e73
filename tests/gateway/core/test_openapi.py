"""The document says what a handler's signature says, and what no signature can."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import jsonschema_rs
import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.api.documents import described_by_verifier
from gateway.core import bodies, samples
from gateway.core.bodies import Amount
from gateway.core.openapi import Described, document
from gateway.core.problems import (
    CATALOGUE,
    Problem,
    bad_field,
    for_consumers,
    for_operators,
    for_verifiers,
)
from gateway.core.reference import Piece, reference
from verifier.api.routes import CALLS as VERIFIER_API

Json = dict[str, Any]
T = TypeVar("T")


class Bid(Struct, forbid_unknown_fields=True, rename="camel"):
    """An exact bid."""

    amount: Amount
    max: bool = False


class Placed(Struct, rename="camel"):
    """What became of it."""

    bid_id: str
    last_bid_amount: Decimal
    current_high_bid: Decimal | None
    salt: str | UnsetType = UNSET


class Data(Struct, Generic[T]):
    data: T


class Listing(Struct, forbid_unknown_fields=True, rename="camel"):
    sequence_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=100, description="How many.")] = 20
    cursor: str = ""


BID = Described(
    "auctions.bid",
    "POST",
    "/api/v1/auctions/{auction_id}/bid",
    "Bid on a lot.\n\n    The amount is exact;\n    ``max`` makes it a limit.\n\n    Twice is once.\n    ",
    "bidder",
    body=Bid,
    answer=Placed,
)
LIST = Described(
    "auctions.listing",
    "GET",
    "/api/v1/auctions",
    "List.",
    "page",
    query=Listing,
    answer=list[Placed],
)
USER = Described(
    "assets.create_user",
    "POST",
    "/user/{email}/{bid_id}",
    "Make a user.",
    "house",
    "auctions:write",
    201,
    "operator",
    body=Bid,
    body_is_optional=True,
    answer=Placed,
    more_statuses=(200,),
)


def operation(call: Described) -> Json:
    """The one operation of a document of one call."""
    [path] = document([call])["paths"].values()
    [found] = path.values()
    assert isinstance(found, dict)
    return found


def parameters(call: Described, where: str) -> dict[str, Json]:
    return {p["name"]: p for p in operation(call)["parameters"] if p["in"] == where}


def test_a_docstring_becomes_summary_and_paragraphs() -> None:
    """The first line is the summary, the rest is text without the source's indentation, and
    who may call is said last."""
    bid = operation(BID)
    assert bid["operationId"] == "auctions.bid"
    assert bid["tags"] == ["auctions"]
    assert bid["summary"] == "Bid on a lot."
    first, second, who = bid["description"].split("\n\n")
    assert first == "The amount is exact; ``max`` makes it a limit."
    assert second == "Twice is once."
    assert "Consumer ID is required" in who


def test_the_consumers_names_are_camel_and_the_operators_are_snake() -> None:
    """A path's parameter is called as its dialect calls it, and has the shape of such an id."""
    assert list(document([BID])["paths"]) == ["/api/v1/auctions/{auctionId}/bid"]
    assert list(document([USER])["paths"]) == ["/user/{email}/{auction_bid_id}"]
    auction_id = parameters(BID, "path")["auctionId"]
    assert auction_id["required"] is True
    validator = jsonschema_rs.validator_for(auction_id["schema"])
    assert validator.is_valid("auction_7k2m9qx4tb_h3wd")
    assert not validator.is_valid("seq_7k2m9qx4tb")


def test_every_example_of_an_id_has_the_shape_of_that_id() -> None:
    """The ids that run through the examples are ids that a house could have given."""
    for name, example in samples.IDS.items():
        call = Described("me.x", "GET", f"/x/{{{name}}}", "X.", "page", dialect="operator")
        [parameter] = operation(call)["parameters"]
        validator = jsonschema_rs.validator_for(parameter["schema"], validate_formats=True)
        assert parameter["example"] == example
        assert validator.is_valid(example), name


def test_a_query_has_the_fields_of_its_type() -> None:
    """Names, bounds and defaults; what may be null may only be left out."""
    found = parameters(LIST, "query")
    assert list(found) == ["sequenceId", "limit", "cursor"]
    assert found["sequenceId"]["schema"] == {"type": "string"}
    assert found["limit"]["required"] is False
    assert found["limit"]["description"] == "How many."
    assert found["limit"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 20,
    }
    assert "Listing" not in document([LIST])["components"]["schemas"]


def test_types_of_one_name_are_told_apart() -> None:
    """A type is called by its own name, by its module's where two have it, and a type made of
    another by both; what refers to it says the same, and no title repeats it."""
    mine = msgspec.defstruct("Lot", [("title", str)], module="gateway.core.wire.consumer")
    theirs = msgspec.defstruct("Lot", [("note", str)], module="gateway.core.wire.operator")
    several: Any = list[theirs]  # type: ignore[valid-type]  # made here, and a type all the same
    calls = [
        Described(f"me.{place}", "GET", f"/{place}", "X.", "page", answer=answer)
        for place, answer in enumerate((mine, theirs, Data[Placed], Data[several]))
    ]
    found = document(calls)
    schemas = found["components"]["schemas"]
    assert {"ConsumerLot", "OperatorLot", "DataOfPlaced", "DataOfListOfOperatorLot"} <= set(schemas)
    assert schemas["DataOfPlaced"]["properties"]["data"] == {"$ref": "#/components/schemas/Placed"}
    assert list(schemas["ConsumerLot"]["properties"]) == ["title"]
    assert "title" not in schemas["ConsumerLot"]


def test_only_posts_have_an_idempotency_key_and_only_bids_a_fingerprint() -> None:
    """The headers that no signature says stand where the server reads them."""
    assert set(parameters(BID, "header")) == {"Idempotency-Key", "X-Fingerprint"}
    assert set(parameters(USER, "header")) == {"Idempotency-Key"}
    assert not parameters(LIST, "header")
    key = jsonschema_rs.validator_for(parameters(BID, "header")["Idempotency-Key"]["schema"])
    assert key.is_valid("!" * 64)
    for bad in ("", "!" * 65, "a b", "ä", "a\n"):
        assert not key.is_valid(bad), bad


@pytest.mark.parametrize(
    ("kind", "ways"),
    [
        ("anyone", []),
        ("page", [{"publishableKey": []}, {"secretKey": []}, {"operatorKey": []}]),
        ("consumer", [{"publishableKey": [], "accessToken": []}]),
        ("bidder", [{"publishableKey": [], "accessToken": []}]),
        ("house", [{"secretKey": []}, {"operatorKey": ["keys:manage"]}]),
    ],
)
def test_who_may_call_is_said(kind: Any, ways: list[Json]) -> None:
    """Each way in is one entry; what is needed together stands together."""
    call = Described("me.x", "GET", "/x", "X.", kind, "keys:manage")
    found = document([call])
    assert found["paths"]["/x"]["get"]["security"] == ways
    schemes = found["components"]["securitySchemes"]
    assert all(scheme in schemes for way in ways for scheme in way)


def test_money_is_asked_for_as_a_number_or_a_text_and_answered_as_a_number() -> None:
    """What the schema takes is what ``bodies`` takes, for amounts too."""
    schemas = document([BID])["components"]["schemas"]
    body = jsonschema_rs.validator_for({**schemas["Bid"], "components": {"schemas": schemas}})
    good: list[Any] = [275, 275.5, "275.50", "2.755e2", "+1", ".5", "1."]
    for amount in good:
        assert body.is_valid({"amount": amount}), amount
        bodies.read(json.dumps({"amount": amount}).encode(), Bid)
    bad: list[Any] = [None, True, "", "1,5", "0x1", "1_0", "٣", " 1", "9" * 65, [1]]
    for amount in bad:
        assert not body.is_valid({"amount": amount}), amount
        with pytest.raises(Problem):
            bodies.read(json.dumps({"amount": amount}).encode(), Bid)
    assert not body.is_valid({"amount": 1, "more": 2}), "an unknown field is refused"
    placed = schemas["Placed"]["properties"]
    assert placed["lastBidAmount"] == {"type": "number"}
    assert placed["currentHighBid"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    assert "salt" not in schemas["Placed"]["required"]


def test_a_success_has_its_status_its_type_and_the_headers_of_every_answer() -> None:
    """201 and, where something may have been there already, 200 with the same content."""
    responses = operation(USER)["responses"]
    assert set(responses) == {"200", "201", "4XX", "503", "5XX"}
    for status in ("200", "201"):
        content = responses[status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Placed"}
        assert set(responses[status]["headers"]) == {
            "X-Request-ID",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
        }
    listed = operation(LIST)["responses"]["200"]["content"]["application/json"]["schema"]
    assert listed == {"type": "array", "items": {"$ref": "#/components/schemas/Placed"}}
    nothing = Described("me.erase", "DELETE", "/me", "Erase.", "consumer", status=204)
    assert "content" not in operation(nothing)["responses"]["204"]


def test_a_body_is_optional_where_its_parameter_has_a_default_and_a_file_is_csv() -> None:
    """Required, optional, or not JSON at all."""
    assert operation(BID)["requestBody"]["required"] is True
    assert operation(USER)["requestBody"]["required"] is False
    assert "requestBody" not in operation(LIST)
    file = Described("sales.x", "POST", "/x", "X.", "house", body=bytes, body_is_file=True)
    assert list(operation(file)["requestBody"]["content"]) == ["text/csv"]


def test_every_problem_is_an_error_of_its_dialect() -> None:
    """Whatever the catalogue knows can be said in both dialects as the document has it."""
    schemas = document([BID, USER])["components"]["schemas"]
    consumers = jsonschema_rs.validator_for(schemas["ConsumerError"])
    operators = jsonschema_rs.validator_for(schemas["OperatorError"])
    problems = [Problem(code) for code in CATALOGUE]
    problems += [bad_field("amount", "no"), Problem("conflict", details={"state": "open"})]
    problems += [Problem("rate_limited", more={"retryAfter": 3})]
    for problem in problems:
        assert consumers.is_valid(for_consumers(problem)), problem.code
        assert operators.is_valid(for_operators(problem)), problem.code
    assert not consumers.is_valid({"error": "Oops"})
    assert not operators.is_valid({"error": {"code": "oops", "message": "Oops."}})


def test_the_example_of_a_request_is_taken() -> None:
    """The least that is needed, and nothing that the type would refuse."""
    example = operation(BID)["requestBody"]["content"]["application/json"]["example"]
    assert example == {"amount": 275}
    bodies.take(example, Bid)


def test_the_document_is_the_same_for_the_same_calls() -> None:
    """Made twice, it is the same to the byte: its ETag can be kept."""
    once, again = (msgspec.json.encode(document([BID, LIST, USER])) for _ in range(2))
    assert once == again


def test_the_reader_tells_the_same_document() -> None:
    """Every call and every schema of the document is on the page, with a line for the shell."""
    told = reference(document([BID, LIST, USER]))
    assert [chapter.name for chapter in told.chapters] == ["auctions", "assets"]
    bid, listing = told.chapters[0].entries
    assert (bid.method, bid.path) == ("POST", "/api/v1/auctions/{auctionId}/bid")
    assert bid.paragraphs[0] == (
        Piece("The amount is exact; "),
        Piece("max", is_code=True),
        Piece(" makes it a limit."),
    )
    assert bid.body == (Piece("Bid", schema="Bid"),)
    assert [row.name for row in listing.parameters] == ["sequenceId", "limit", "cursor"]
    assert "".join(piece.text for piece in listing.parameters[1].words) == (
        "How many. 1 to 100. Default 20."
    )
    statuses = ["200", "202", "4XX", "503", "5XX"]
    assert [answer.status for answer in bid.answers] == statuses
    assert {"Bid", "Placed", "ConsumerError"} <= {shape.name for shape in told.shapes}
    assert bid.curl.splitlines() == [
        'curl -X POST "$HOUSE/api/v1/auctions/auction_7k2m9qx4tb_h3wd/bid" \\',
        '  -H "X-Publishable-Key: $PUBLISHABLE_KEY" \\',
        '  -H "Authorization: Bearer $ACCESS_TOKEN" \\',
        '  -H "Idempotency-Key: $(uuidgen)" \\',
        "  -H 'Content-Type: application/json' \\",
        "  -d '{\"amount\": 275}'",
    ]


def test_a_recursive_or_odd_schema_has_an_example_too() -> None:
    """A type that holds itself ends somewhere; bounds, choices and formats are kept."""
    components: Json = {
        "Node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/components/schemas/Node"}},
            "required": ["next"],
        }
    }
    node = samples.answer({"$ref": "#/components/schemas/Node"}, components)
    assert json.dumps(node).count("next") < 20
    for schema in (
        {"type": "integer", "minimum": 5, "maximum": 7},
        {"enum": ["a", "b"]},
        {"type": "string", "format": "uuid"},
        {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
    ):
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)
        assert validator.is_valid(samples.answer(schema, {})), schema


# ── The verifier's dialect ───────────────────────────────────────────────────────────────


class Photograph(Struct):
    photo: bytes
    angle: str


PHOTO = Described(
    "objects.add_photo",
    "POST",
    "/api/v1/auction/objects/{object_id}/photos",
    "Take in a photograph.",
    "house",
    "provenance:write",
    201,
    "verifier",
    body=Photograph,
    body_is_form=True,
    answer=Placed,
)
TILE = Described(
    "log.tile",
    "GET",
    "/log/tile/{level}/{place}",
    "A tile.",
    "anyone",
    dialect="verifier",
    media="application/octet-stream",
)


def test_a_photograph_is_sent_in_a_form_as_it_is() -> None:
    """A file in a form is bytes, and no text that stands for them."""
    body = operation(PHOTO)["requestBody"]
    [(media_type, content)] = body["content"].items()
    assert (media_type, body["required"]) == ("multipart/form-data", True)
    schema = document([PHOTO])["components"]["schemas"]["Photograph"]
    assert content["schema"] == {"$ref": "#/components/schemas/Photograph"}
    assert schema["properties"]["photo"] == {"type": "string", "format": "binary"}
    assert schema["required"] == ["photo", "angle"]


def test_the_verifiers_answers_have_their_window_and_its_errors_their_form() -> None:
    """The header that the other APIs do not send; a code, a request's name and an instant."""
    found = document([PHOTO, BID])
    made = operation(PHOTO)["responses"]
    assert "X-RateLimit-Window" in made["201"]["headers"]
    assert "X-RateLimit-Window" not in operation(BID)["responses"]["200"]["headers"]
    assert made["4XX"] == {"$ref": "#/components/responses/VerifierRefusal"}
    refusal = found["components"]["responses"]["VerifierRefusal"]
    assert "X-RateLimit-Window" in refusal["headers"]
    schema = refusal["content"]["application/json"]["schema"]
    whole = {**schema, "components": found["components"]}
    validator = jsonschema_rs.validator_for(whole, validate_formats=True)
    meta = {"requestId": "1", "timestamp": "2027-03-04T18:00:00Z"}
    error = {"code": "OBJECT_NOT_FOUND", "message": "There is no such object."}
    problem = Problem("unavailable")
    assert validator.is_valid({"error": error, "meta": meta})
    assert validator.is_valid(for_verifiers(problem, meta["requestId"], meta["timestamp"]))
    assert validator.is_valid({"status": "unknown", "hint": "check the code"})
    for wrong in ({"error": error}, {"error": "Not found"}, {"error": {}, "meta": meta}, {}):
        assert not validator.is_valid(wrong)


def test_the_verifiers_calls_say_who_may_make_them() -> None:
    """Anybody, or a key with the scope; none of them knows an Idempotency-Key."""
    assert operation(PHOTO)["security"] == [
        {"secretKey": []},
        {"operatorKey": ["provenance:write"]},
    ]
    assert operation(TILE)["security"] == []
    assert not parameters(PHOTO, "header")


def test_an_answer_that_no_type_describes_has_its_kind() -> None:
    """Bytes are bytes."""
    [media_type] = operation(TILE)["responses"]["200"]["content"]
    assert media_type == "application/octet-stream"


def test_the_verifiers_own_table_is_described_without_what_is_the_houses() -> None:
    """Each public row once, by a name of its own; nobody is told what the house asks."""
    public = [call for call in VERIFIER_API if not call.internal]
    found = described_by_verifier(VERIFIER_API)
    assert len(found) == len(public) == len({call.operation_id for call in found})
    assert not [call for call in found if call.path.startswith("/internal")]
    scopes = {(call.method, call.path.replace(":path", "")): call.scope for call in public}
    for call in found:
        wanted = scopes[call.method, call.path]
        assert (call.kind, call.scope) == (("house", wanted) if wanted else ("anyone", ""))
