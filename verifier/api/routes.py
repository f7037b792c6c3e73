"""The table of calls: every path the verifier answers, and the scope that it takes.

The hottest come first, for they are looked through in this order.  What a call takes and
answers is in its handler's signature; the house's ``/openapi.json`` is made from both.
"""

from __future__ import annotations

from typing import Final

from verifier.api import exports, internal, log, objects, owners, provenance, public, transfers
from verifier.api.calls import INTERNAL, Call

BASE: Final = "/api/v1/auction"
READ: Final = "provenance:read"
WRITE: Final = "provenance:write"
TRANSFER: Final = "transfers:write"
OWN: Final = "owners:write"

# fmt: off
CALLS: Final = (
    Call("GET", BASE + "/public/verify/{serial}", public.verify, None),
    Call("POST", BASE + "/public/verify/{serial}/photo", public.compare, None),
    Call("POST", BASE + "/objects/register", objects.register, WRITE, 201),
    Call("GET", BASE + "/dashboard/objects", objects.listing, READ),
    Call("GET", BASE + "/objects/{serial_or_id}", objects.read, READ),
    Call("POST", BASE + "/objects/{object_id}/photos", objects.add_photo, WRITE, 201),
    Call("POST", BASE + "/objects/{object_id}/tags", objects.add_tag, WRITE, 201),
    Call("GET", BASE + "/objects/{serial_or_id}/qr.svg", objects.qr_svg, READ),
    Call("GET", BASE + "/objects/{serial_or_id}/qr.png", objects.qr_png, READ),
    Call("GET", BASE + "/objects/{serial}/provenance", provenance.read, None),
    Call("POST", BASE + "/objects/{serial}/provenance", provenance.report, WRITE, 201),
    Call("GET", BASE + "/objects/{serial}/proof", provenance.proof, None),
    Call("GET", BASE + "/objects/{serial}/linked-art", exports.linked_art, None),
    Call("GET", BASE + "/objects/{serial}/object-id", exports.object_id, None),
    Call("GET", BASE + "/objects/{serial}/epcis", exports.epcis, None),
    Call("POST", BASE + "/provenance", provenance.report_of, WRITE, 201),
    Call("POST", BASE + "/transfers/initiate", transfers.initiate, TRANSFER, 201),
    Call("GET", BASE + "/transfers/{transfer_id}", transfers.read, TRANSFER),
    Call("POST", BASE + "/transfers/{transfer_id}/confirm", transfers.confirm, TRANSFER),
    Call("POST", BASE + "/transfers/{transfer_id}/cancel", transfers.cancel, TRANSFER),
    Call("POST", BASE + "/transfers/{transfer_id}/reissue", transfers.reissue, TRANSFER),
    Call("POST", BASE + "/owners", owners.enter, OWN, 201),
    Call("DELETE", BASE + "/owners/{owner_id}", owners.erase, OWN),
    Call("GET", "/log/checkpoint", log.checkpoint, None),
    Call("GET", "/log/tile/entries/{place:path}", log.entries, None),
    Call("GET", "/log/tile/{level}/{place:path}", log.tile, None),
    Call("GET", "/log/vkeys", log.vkeys, None),
    Call("GET", "/log/proof/inclusion", log.inclusion, None),
    Call("GET", "/log/proof/consistency", log.consistency, None),
    Call("GET", "/.well-known/tlog-vkeys", log.vkeys, None),
    Call("GET", "/.well-known/did.json", log.did, None),
    Call("GET", "/.well-known/gs1resolver", public.resolver, None),
    Call("GET", "/01/{gtin}/{rest:path}", public.resolve_item, None),
    Call("GET", "/8004/{giai}", public.resolve_asset, None),
    Call("GET", INTERNAL + "objects/{serial}", internal.standing, None),
    Call("POST", INTERNAL + "claims", internal.claim, None),
    Call("POST", INTERNAL + "news", internal.news, None),
    Call("POST", INTERNAL + "news/known", internal.known, None),
    Call("GET", INTERNAL + "happenings", internal.after, None),
    Call("GET", INTERNAL + "jwks", internal.jwks, None),
)
# fmt: on
