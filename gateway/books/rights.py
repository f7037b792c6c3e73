"""What a person may ask of the house about themselves: to see it, and to have it erased.

Both cover what the accounts know (GDPR, articles 15 and 17).  Bids, money and objects are
with others, who add their part to an export; and whether an erasure must wait, because a bid
or a debt stands, is asked before it comes here.  The id of an erased person stays, because
the log speaks of it; nothing leads from it to anybody.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, update

from gateway.books import limit_wishes, news, sessions, signing_in, watching
from gateway.books.people import get, persons
from gateway.books.store import Vault, in_turn, reading, writing
from gateway.core.consumer import instant


def export(engine: Engine, vault: Vault, consumer_id: str) -> dict[str, Any] | None:
    """Everything the accounts know of a person, for JSON; None: nobody, or erased."""
    with reading(engine) as connection:
        person = get(connection, vault, consumer_id)
        if person is None or person.erased_at is not None:
            return None
        profile = person.profile
        return {
            "consumerId": person.consumer_id,
            "userId": person.user_id,
            "mode": person.mode,
            "guest": person.guest,
            "email": profile.email,
            "firstName": profile.first_name,
            "lastName": profile.last_name,
            "phoneNumber": profile.phone_number,
            "externalWallets": list(profile.external_wallets),
            "notices": person.notices,
            "createdAt": instant(person.created_at),
            "updatedAt": instant(person.updated_at),
            "signsInWith": signing_in.providers_of(connection, consumer_id),
            "sessions": [_shown(one) for one in sessions.sessions_of(connection, consumer_id)],
            "watches": watching.export(connection, consumer_id),
            "limitsAskedFor": [_wish(one) for one in limit_wishes.export(connection, consumer_id)],
        }


def _wish(wish: limit_wishes.LimitWish) -> dict[str, Any]:
    # In minor units of the sale's currency, which is not in these books.
    return {"saleId": wish.sale_id, "amount": wish.amount, "askedAt": instant(wish.asked_at)}


def _shown(session: sessions.Session) -> dict[str, Any]:
    return {
        "sessionId": session.session_id,
        "type": session.type,
        "createdAt": instant(session.created_at),
        "refreshedAt": instant(session.rotated_at),
        "expiresAt": instant(session.expires_at),
        "revokedAt": instant(session.revoked_at),
    }


def erase(engine: Engine, vault: Vault, consumer_id: str, now_ms: int) -> bool:
    """Forget a person and end their sessions; False: there is nobody, or nobody any more."""
    with writing(engine) as connection:
        in_turn(connection, "erase", consumer_id)
        person = get(connection, vault, consumer_id)
        if person is None or person.erased_at is not None:
            return False
        signing_in.forget(connection, vault, person)
        sessions.revoke_all(connection, consumer_id, now_ms)
        watching.forget(connection, consumer_id)
        limit_wishes.forget(connection, consumer_id)
        news.erased(connection, person.mode, consumer_id, now_ms)  # the verifier forgets as well
        connection.execute(
            update(persons)
            .where(persons.c.consumer_id == consumer_id)
            .values(
                email_index=None,
                phone_index=None,
                sealed=None,
                notices=[],
                updated_at=now_ms,
                erased_at=now_ms,
            )
        )
    return True
