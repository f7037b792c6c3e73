"""JSON schemas → examples that a reader can follow and a server would take.

One lot and one bidder run through all of them, so that the id in one call's answer is the
id in the next one's path.  What a field is called decides, where its schema allows; all else
comes from its schema: the default, the first of several choices, the smallest that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

_DEEPEST: Final = 8  # no type of these APIs nests deeper; one that holds itself would

IDS: Final[Mapping[str, str]] = {
    "auction_id": "auction_7k2m9qx4tb_h3wd",
    "sequence_id": "seq_7k2m9qx4tb",
    "consumer_id": "cons_4hq8wz2nrk6vtx3p",
    "bid_id": "bid_5f0c1a7be2d94c6608fa31d2",
    "key_id": "key_9x4tq2mb",
    "webhook_id": "wh_6r3kz8vd",
    "delivery_id": "whk_2t7wq5nx",
    "asset_id": "5b0f6c1e-8a34-4a5c-9d42-0d8f1c7e2b90",
    "email": "ada@example.com",
    "object_id": "obj_8r2kq6xw4nvt3m9b",
    "owner_id": "own_3xk7tq2mv9wr4b8n",
    "transfer_id": "trf_6wn4bz8kq3vm7x2t",
    "serial": "AUC260218FKC5SKSEZ",
    "serial_or_id": "AUC260218FKC5SKSEZ",
    "gtin": "09521234543213",
    "giai": "9521234AUC260218FKC5SKSEZ",
    "rest": "21/AUC260218FKC5SKSEZ",
    "level": "0",
    "place": "000",
}

_FIELDS: Final[Mapping[str, Any]] = {
    **IDS,
    "bid_asset_id": IDS["asset_id"],
    "auction_asset_id": "c2a7d9e4-13f5-4f0b-8a66-7e5d40b1c3f8",
    "auction_bid_id": IDS["bid_id"],
    "distribution_id": IDS["auction_id"],
    "name": "Celadon mallet vase",
    "title": "Celadon mallet vase",
    "time_zone": "Europe/Amsterdam",
    "currency_code": "EUR",
    "lot_number": "214",
    "symbol": "GLZ",
    "from_owner_id": IDS["owner_id"],
    "to_owner_id": "own_7tn4xk2wq9mz3v6b",
    "sale_price": 1200,
    "sale_currency": "EUR",
    "currency": "EUR",
    "transfer_code": "847291",
    "uid": "04DE5F1EACC040",
    "file_key": "000102030405060708090A0B0C0D0E0F",
    "meta_key": "0F0E0D0C0B0A09080706050403020100",
    "url_template": "https://example.com/01/09521234543213/21/AUC260218FKC5SKSEZ?e={picc}&c={cmac}",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "code": "418207",
    "url": "https://example.com/hooks/auctions",
    "phone": "+31201234567",
    "phone_number": "+31201234567",
    "registration": "open",
    "order_id": "order-2041",
    "paddle": 118,
    "starting_price": 100,
    "starting_bid": 100,
    "minimum_increment": 25,
    "minimum_bid_increment": 25,
    "reserve_price": 200,
    "current_high_bid": 250,
    "next_minimum_bid": 275,
    "amount": 275,
    "last_bid_amount": 275,
    "open_at": "2027-03-04T18:00:00Z",
    "close_at": "2027-03-04T20:00:00Z",
    "settle_at": "2027-03-04T20:30:00Z",
    "start_date": "2027-03-04T18:00:00Z",
    "end_date": "2027-03-04T20:00:00Z",
    "expires_at": "2027-03-11T20:30:00Z",
}

_BY_FORMAT: Final[Mapping[str, str]] = {
    "date-time": "2027-03-04T19:42:07.250Z",
    "date": "2027-03-04",
    "uuid": IDS["asset_id"],
    "email": IDS["email"],
    "uri": "https://example.com/",
}


def answer(schema: Json, components: Json) -> Any:
    """An answer with everything that it can say."""
    return _Sampler(components, whole=True).sample(schema)


def request(schema: Json, components: Json) -> Any:
    """The least that a request must say; where that is nothing, its first field."""
    return _Sampler(components, whole=False).sample(schema)


class _Sampler:
    """Makes values that the schemas take."""

    def __init__(self, components: Json, whole: bool) -> None:
        self._components = components
        self._whole = whole

    def sample(self, schema: Json, name: str = "", depth: int = 0) -> Any:
        """A value; *name*: the field it stands in."""
        if "$ref" in schema:
            return self.sample(self._components[schema["$ref"].rpartition("/")[2]], name, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema.get("default") or schema["enum"][0]
        if "anyOf" in schema:
            # What may be null is shown as what it is when it is not.
            choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
            return self.sample(choices[0], name, depth)
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Json, name: str, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "string":
            return _text(schema, name)
        if kind in ("integer", "number"):
            return _number(schema, name)
        return schema.get("default", True) if kind == "boolean" else None

    def _object(self, schema: Json, depth: int) -> Json:
        fields = schema.get("properties", {})
        if depth > _DEEPEST:
            fields = {}
        elif not self._whole:
            required = schema.get("required") or list(fields)[:1]
            fields = {name: field for name, field in fields.items() if name in required}
        return {name: self.sample(field, _snake(name), depth + 1) for name, field in fields.items()}

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        if depth > _DEEPEST:
            return []
        if "prefixItems" in schema:
            return [self.sample(item, "", depth + 1) for item in schema["prefixItems"]]
        items = schema.get("items")
        return [self.sample(items, name.removesuffix("s"), depth + 1)] if items else []


def _text(schema: Json, name: str) -> str:
    known = _FIELDS.get(name)
    if isinstance(known, str) and schema.get("format") in (None, "date-time", "uuid", "email"):
        return known[: schema.get("maxLength")]
    if "format" in schema:
        return _BY_FORMAT.get(schema["format"], "…")
    if name.endswith(("_at", "_time")) or name == "timestamp":
        return _BY_FORMAT["date-time"]
    return "…"


def _number(schema: Json, name: str) -> Any:
    known = _FIELDS.get(name)
    if isinstance(known, int) and schema.get("minimum", 0) <= known <= schema.get("maximum", known):
        return known
    if schema.get("default") is not None:
        return schema["default"]
    return max(1, schema.get("minimum", 1))


def _snake(name: str) -> str:
    """camelCase → snake_case."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
