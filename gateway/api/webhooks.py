"""Who is told of what happens, and what became of each telling."""

from __future__ import annotations

from typing import Any

from gateway.api.calls import Ask
from gateway.api.lots import NOTHING
from gateway.books import webhooks
from gateway.books.store import BadField
from gateway.core.consumer import instant, moment
from gateway.core.problems import Problem, bad_field
from gateway.core.wire.consumer import PageInfo
from gateway.core.wire.house import (
    Deliveries,
    Delivery,
    NewWebhook,
    Nothing,
    PageQuery,
    Webhook,
    WebhookMade,
    WebhookRotated,
    Webhooks,
)
from gateway.keys import webhook_key


async def listing(ask: Ask) -> Webhooks:
    """Every webhook of the caller's mode, without its secret."""
    found = await ask.books(webhooks.listed, ask.caller.mode)
    return Webhooks(data=[Webhook(**_fields(hook)) for hook in found])


async def create(ask: Ask, body: NewWebhook) -> WebhookMade:
    """Have events told to a URL; the secret is in this answer and nowhere else."""
    gateway = ask.gateway
    try:
        hook, secret = await ask.books(
            webhooks.create,
            webhook_key(gateway.keys),
            ask.caller.mode,
            body.url,
            body.events,
            ask.now,
            allow_private=gateway.settings.webhook_allow_private,
        )
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    return WebhookMade(**_fields(hook), secret=secret)


async def remove(ask: Ask, webhook_id: str) -> None:
    """Tell this URL nothing more, what waits included."""
    if not await ask.books(webhooks.remove, ask.caller.mode, webhook_id, ask.now):
        raise Problem("webhook_not_found")


async def rotate(ask: Ask, webhook_id: str, body: Nothing = NOTHING) -> WebhookRotated:
    """Give a webhook a new secret; the one until now signs beside it for a day more."""
    key, mode = webhook_key(ask.gateway.keys), ask.caller.mode
    secret = await ask.books(webhooks.rotate, key, mode, webhook_id, ask.now)
    if secret is None:
        raise Problem("webhook_not_found")
    return WebhookRotated(id=webhook_id, secret=secret)


async def deliveries(ask: Ask, webhook_id: str, query: PageQuery) -> Deliveries:
    """What a webhook was told, newest first."""
    mode = ask.caller.mode
    page = await ask.books(webhooks.deliveries_of, mode, webhook_id, query.cursor, query.limit)
    if page is None:
        raise Problem("webhook_not_found")
    found, more = page
    ends = PageInfo(start_cursor=query.cursor, end_cursor=more)
    return Deliveries(data=[_delivery(each) for each in found], page_info=ends)


async def replay(ask: Ask, delivery_id: str, body: Nothing = NOTHING) -> Delivery:
    """Tell it once more, at once and under the same id."""
    found = await ask.books(webhooks.replay, ask.caller.mode, delivery_id)
    if found is None:
        raise Problem("delivery_not_found")
    return _delivery(found)


def _fields(hook: webhooks.Webhook) -> dict[str, Any]:
    return {
        "id": hook.webhook_id,
        "url": hook.url,
        "events": list(hook.events),
        "created_at": moment(hook.created_at),
        "disabled_at": instant(hook.disabled_at),
    }


def _delivery(told: webhooks.Delivery) -> Delivery:
    return Delivery(
        id=told.delivery_id,
        type=told.type,
        status=told.state,
        attempts=told.attempts,
        created_at=moment(told.created_at),
        next_attempt_at=instant(told.next_at or None),  # 0: at once
        delivered_at=instant(told.delivered_at),
        last_status=told.last_status,
        last_error=told.last_error,
    )
