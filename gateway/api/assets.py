"""The operator API's assets, users and balances."""

from __future__ import annotations

from msgspec import UnsetType

from gateway.api.calls import Ask, Reply
from gateway.books import ledger, people
from gateway.books.people import Person
from gateway.books.store import BadField
from gateway.core.consumer import moment
from gateway.core.operator import smallest_units, whole_tokens
from gateway.core.paging import ends_of
from gateway.core.problems import Problem, bad_field
from gateway.core.wire.operator import (
    Asset,
    Balance,
    Data,
    Issue,
    Listed,
    NewAsset,
    NewIssue,
    NewUser,
    PageInfo,
    PageQuery,
    User,
)

_WHOLE_TOKENS = 18  # decimals of an erc20 where nobody says otherwise (EIP-20's own example)


# ── Assets ───────────────────────────────────────────────────────────────────────────────


async def create(ask: Ask, body: NewAsset) -> Data[Asset]:
    """Enter a token contract into the registry."""
    decimals = body.decimals
    if isinstance(decimals, UnsetType):
        decimals = _WHOLE_TOKENS if body.type == "erc20" else 0
    mode = ask.caller.mode
    try:
        made = await ask.books(
            ledger.create_asset, mode, body.type, body.symbol, body.name, decimals, ask.now
        )
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    return Data(data=_asset(made))


async def listing(ask: Ask, query: PageQuery) -> Listed[Asset]:
    """The assets of the registry, the oldest first."""
    try:
        found = await ask.books(ledger.list_assets, ask.caller.mode, query.limit, query.cursor)
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    info = _info([asset.asset_id for asset in found])
    return Listed(data=[_asset(asset) for asset in found], page_info=info)


async def issue(ask: Ask, asset_id: str, body: NewIssue) -> Data[Issue]:
    """Bring so much of an erc20 into a user's account."""
    asset = await ask.books(ledger.asset, ask.caller.mode, asset_id.lower())
    if asset is None:
        raise Problem("asset_not_found")
    if asset.type != "erc20":
        raise bad_field("asset_id", "only an erc20 is issued; others are minted to winners")
    person = await _person(ask, body.email)
    units = smallest_units(body.amount, asset.decimals)
    key, whose = ask.cmd_id, person.consumer_id
    done = await ask.books(ledger.issue, key, whose, asset.asset_id, units, ask.now)
    if done == "mismatch":
        raise Problem("idempotency_key_reused")
    if done == "too_much":
        raise bad_field("amount", "there would be more of it than a ledger can hold")
    return Data(
        data=Issue(
            asset_id=asset.asset_id,
            email=person.email or body.email,
            amount=whole_tokens(units, asset.decimals),
            amount_base=str(units),
            reference=f"issue:{key}",
        )
    )


def _asset(asset: ledger.Asset) -> Asset:
    return Asset(
        id=asset.asset_id,
        type=asset.type,
        symbol=asset.symbol,
        name=asset.name,
        decimals=asset.decimals,
        created_at=moment(asset.created_at),
    )


# ── Users ────────────────────────────────────────────────────────────────────────────────


async def create_user(ask: Ask, body: NewUser) -> Data[User] | Reply:
    """The user with this e-mail: made now (201), or as they are already (200)."""
    try:
        profile = people.read_profile(
            email=body.email,
            first_name=body.first_name,
            last_name=body.last_name,
            phone_number=body.phone_number,
            external_wallets=body.external_wallets,
        )
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    vault, mode = ask.gateway.vault, ask.caller.mode
    person, is_new = await ask.books(
        people.create_or_get_by_email, vault, mode, profile, ask.now
    )  # fmt: skip
    return Reply(Data(data=_user(person)), 201 if is_new else 200)


async def users(ask: Ask, query: PageQuery) -> Listed[User]:
    """Everybody who has left an e-mail, the oldest first."""
    vault, mode = ask.gateway.vault, ask.caller.mode
    try:
        found = await ask.books(people.list_users, vault, mode, query.limit, query.cursor)
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    info = _info([person.consumer_id for person in found])
    return Listed(data=[_user(person) for person in found], page_info=info)


async def balances(ask: Ask, email: str) -> Data[list[Balance]]:
    """What a user has, and what of it is held for bids."""
    try:
        person = await _person(ask, email)
    except Problem as problem:  # what is no address is nobody's
        raise Problem("user_not_found") from problem
    found = await ask.books(ledger.balances, person.consumer_id)
    return Data(data=[_balance(balance) for balance in found])


async def _person(ask: Ask, email: str) -> Person:
    try:
        address = people.read_email(email)
    except BadField as fault:
        raise bad_field(fault.field, str(fault)) from fault
    found = await ask.books(people.by_email, ask.gateway.vault, ask.caller.mode, address)
    if found is None:
        raise Problem("user_not_found")
    return found


def _user(person: Person) -> User:
    profile = person.profile
    return User(
        id=person.user_id,
        consumer_id=person.consumer_id,
        email=profile.email,
        first_name=profile.first_name,
        last_name=profile.last_name,
        phone_number=profile.phone_number,
        external_wallets=list(profile.external_wallets),
        created_at=moment(person.created_at),
        updated_at=moment(person.updated_at),
    )


def _balance(balance: ledger.Balance) -> Balance:
    return Balance(
        asset_id=balance.asset_id,
        symbol=balance.symbol,
        token_id=None if balance.token_id is None else int(balance.token_id),
        available=whole_tokens(balance.available, balance.decimals),
        held=whole_tokens(balance.held, balance.decimals),
    )


def _info(names: list[str]) -> PageInfo:
    ends = ends_of(names)
    return PageInfo(start_cursor=ends.start, end_cursor=ends.end)
