"""The table of routes: every call of the HTTP APIs, who may make it, and who answers it.

The hottest come first, for they are looked through in this order.  What a call takes and
answers is in its handler's signature; docs and ``/openapi.json`` are made from both.
"""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from gateway.api import (
    apikeys,
    assets,
    auctions,
    documents,
    elsewhere,
    lots,
    me,
    operator,
    payments,
    sales,
    sessions,
    webhooks,
)
from gateway.api.access import ANYONE, BIDDER, CONSUMER, HOOKS, KEYS, PAGE, READ, WRITE
from gateway.api.calls import Call, endpoint
from verifier.api.routes import CALLS as VERIFIER_API

V1: Final = "/api/v1"

# fmt: off
CONSUMER_API: Final = (
    Call("GET", V1 + "/auctions/{auction_id}", auctions.read, PAGE),
    Call("POST", V1 + "/auctions/{auction_id}/bid", auctions.bid, BIDDER),
    Call("GET", V1 + "/auctions/{auction_id}/status", auctions.status, CONSUMER),
    Call("GET", V1 + "/auctions/{auction_id}/highest-bid", auctions.highest_bid, CONSUMER),
    Call("GET", V1 + "/auctions/{auction_id}/bids/history", auctions.own_bids, CONSUMER),
    Call("GET", V1 + "/auctions/{auction_id}/bids", auctions.all_bids, CONSUMER),
    Call("GET", V1 + "/auctions", auctions.listing, PAGE),
    Call("GET", V1 + "/auctions/{auction_id}/current-price", auctions.current_price, PAGE),
    Call("POST", V1 + "/auctions/{auction_id}/buy-now", auctions.buy_now, CONSUMER),
    Call("PUT", V1 + "/auctions/{auction_id}/limit", auctions.lower_limit, CONSUMER),
    Call("DELETE", V1 + "/auctions/{auction_id}/limit", auctions.withdraw_limit, CONSUMER),
    Call("POST", V1 + "/auctions/{auction_id}/enter", auctions.enter, CONSUMER),
    Call("POST", V1 + "/auctions/{auction_id}/leave", auctions.leave, CONSUMER),
    Call("POST", V1 + "/auth/guest", sessions.guest, PAGE),
    Call("POST", V1 + "/auth/otp/request", sessions.request_code, PAGE, 202),
    Call("POST", V1 + "/auth/otp/verify", sessions.verify_code, PAGE),
    Call("POST", V1 + "/auth/external/authorize", sessions.authorize, WRITE),
    Call("POST", V1 + "/auth/external/exchange", sessions.exchange, PAGE),
    Call("POST", V1 + "/auth/refresh", sessions.refresh, PAGE),
    Call("POST", V1 + "/auth/logout", sessions.logout, CONSUMER, 204),
    Call("POST", V1 + "/ws-tickets", sessions.ticket, CONSUMER),
    Call("GET", "/.well-known/jwks.json", sessions.jwks, ANYONE),
    Call("GET", V1 + "/me", me.export, CONSUMER),
    Call("DELETE", V1 + "/me", me.erase, CONSUMER, 204),
    Call("GET", V1 + "/me/notices", me.notices, CONSUMER),
    Call("PUT", V1 + "/me/notices", me.choose_notices, CONSUMER),
    Call("POST", V1 + "/sequences", sales.create, WRITE, 201),
    Call("GET", V1 + "/sequences", sales.listing, READ),
    Call("GET", V1 + "/sequences/{sequence_id}", sales.read, PAGE),
    Call("PUT", V1 + "/sequences/{sequence_id}", sales.update, WRITE),
    Call("DELETE", V1 + "/sequences/{sequence_id}", sales.remove, WRITE, 204),
    Call("POST", V1 + "/sequences/{sequence_id}/catalogue", sales.import_catalogue, WRITE),
    Call("GET", V1 + "/sequences/{sequence_id}/registrations", sales.registrations, READ),
    Call("PATCH", V1 + "/sequences/{sequence_id}/registrations/{consumer_id}", sales.decide, WRITE),
    Call("POST", V1 + "/auctions", lots.create, WRITE, 201),
    Call("PUT", V1 + "/auctions/{auction_id}", lots.update, WRITE),
    Call("DELETE", V1 + "/auctions/{auction_id}", lots.remove, WRITE, 204),
    Call("POST", V1 + "/auctions/{auction_id}/pause", lots.pause, WRITE),
    Call("POST", V1 + "/auctions/{auction_id}/resume", lots.resume, WRITE),
    Call("POST", V1 + "/auctions/{auction_id}/cancel", lots.cancel, WRITE),
    Call("POST", V1 + "/auctions/{auction_id}/complete", lots.complete, WRITE),
    Call("POST", V1 + "/auctions/{auction_id}/settle", lots.settle, WRITE),
    Call("POST", V1 + "/payment-tokens/validate", payments.validate, WRITE),
    Call("POST", V1 + "/payment-tokens/complete", payments.complete, WRITE),
    Call("GET", V1 + "/auctions/{auction_id}/payments", payments.listing, READ),
    Call("POST", V1 + "/auctions/{auction_id}/payments/{consumer_id}/reissue", payments.reissue, WRITE, 201),
    Call("POST", V1 + "/auctions/{auction_id}/payments/{consumer_id}/offer", payments.offer, WRITE, 201),
    Call("POST", V1 + "/auctions/{auction_id}/relist", payments.relist, WRITE, 201),
    Call("GET", V1 + "/keys", apikeys.listing, KEYS),
    Call("POST", V1 + "/keys", apikeys.create, KEYS, 201),
    Call("POST", V1 + "/keys/{key_id}/rotate", apikeys.rotate, KEYS, 201),
    Call("DELETE", V1 + "/keys/{key_id}", apikeys.revoke, KEYS, 204),
    Call("GET", V1 + "/webhooks", webhooks.listing, HOOKS),
    Call("POST", V1 + "/webhooks", webhooks.create, HOOKS, 201),
    Call("DELETE", V1 + "/webhooks/{webhook_id}", webhooks.remove, HOOKS, 204),
    Call("POST", V1 + "/webhooks/{webhook_id}/rotate", webhooks.rotate, HOOKS, 201),
    Call("GET", V1 + "/webhooks/{webhook_id}/deliveries", webhooks.deliveries, HOOKS),
    Call("POST", V1 + "/webhook-deliveries/{delivery_id}/replay", webhooks.replay, HOOKS, 202),
)
OPERATOR_API: Final = (
    Call("POST", "/auction", operator.create, WRITE, 201, "operator"),
    Call("GET", "/auction", operator.listing, READ, 200, "operator"),
    Call("GET", "/auction/{auction_id}", operator.read, READ, 200, "operator"),
    Call("PATCH", "/auction/{auction_id}", operator.update, WRITE, 200, "operator"),
    Call("DELETE", "/auction/{auction_id}", operator.remove, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/cancel", operator.cancel, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/resume", operator.resume, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/pause", operator.pause, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/settle", operator.settle, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/complete", operator.complete, WRITE, 200, "operator"),
    Call("POST", "/auction/{auction_id}/bid", operator.bid, WRITE, 201, "operator"),
    Call("GET", "/auction/{auction_id}/bid", operator.bids, READ, 200, "operator"),
    Call("GET", "/auction/{auction_id}/bid/{bid_id}", operator.read_bid, READ, 200, "operator"),
    Call("POST", "/auction/{auction_id}/bid/{bid_id}/cancel", operator.cancel_bid, WRITE, 200, "operator"),
    Call("POST", "/asset", assets.create, WRITE, 201, "operator"),
    Call("GET", "/asset", assets.listing, READ, 200, "operator"),
    Call("POST", "/asset/{asset_id}/issue", assets.issue, WRITE, 201, "operator"),
    Call("POST", "/user", assets.create_user, WRITE, 201, "operator"),
    Call("GET", "/user", assets.users, READ, 200, "operator"),
    Call("GET", "/user/{email}/balances", assets.balances, READ, 200, "operator"),
)
# fmt: on
CALLS: Final = (*CONSUMER_API, *OPERATOR_API)
# What is documented: the verifier's calls, too, which the door leads to.
DESCRIBED: Final = (
    *map(documents.described, CALLS),
    *documents.described_by_verifier(VERIFIER_API),
)


def routes() -> list[Route]:
    """Every route of the HTTP APIs; the operator API stands at the root and under /alpha."""
    aliases = [
        Route(f"/alpha{call.path}", endpoint(call), methods=[call.method]) for call in OPERATOR_API
    ]
    own = [Route(call.path, endpoint(call), methods=[call.method]) for call in CALLS]
    served = [*own, *aliases, *documents.routes(DESCRIBED)]
    return [*served, *elsewhere.routes(served)]
