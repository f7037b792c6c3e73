"""The house's keys: made at the first start, kept in DATA_DIR, and used to sign tokens.

``keys.json`` is what people and programs are handed: API keys and, in a demonstration, the
invented bidders with their tokens and sign-in links.  ``master.key`` seals the private
signing key in ``signing-key.json``; the keys that seal and index personal data in the
database are derived from it, each for one purpose.  All three files are readable by their
owner only, and are written so that a crash leaves either the old file or the new one.

Promises: two processes that start at once end up with the same keys; a token is taken only
where it is one of ours, of the kind that is asked for, for this house, and an access token
only before its time is over.  The time is handed in by the caller, in milliseconds since the
epoch; nothing here reads a clock.  Leaves to others: which sessions stand and which refresh
token is the newest (``gateway.books.sessions``), what a key may do
(``gateway.books.apikeys``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine import presence
from engine.core.messages import Mode
from gateway.core.naming import ALPHABET, ORGANIZATION
from gateway.settings import GatewaySettings
from verifier.core.serials import new_serial

KeyKind = Literal["publishable", "secret", "operator"]

_AUDIENCE: Final = "fairwarning"
_ACCESS_TYPE: Final = "at+jwt"  # RFC 9068
GUEST_PREFIX: Final = "guest_"  # of a consumer id; the engine knows a guest by it too
_DEMO_TOKEN_S: Final = 30 * 24 * 3600
_DEMO_AUCTIONS: Final = 14
_DEMO_OBJECTS: Final = 8
DEMO_MODE: Final[Mode] = "test"  # its keys are: pk_test_…
_SESSION_PREFIX: Final = "ses_"
# Written in one way only: no leading zero, and hexadecimal digits in lower case.
_REFRESH_TOKEN: Final = re.compile(
    r"rt_(?P<part>[a-z0-9]{1,64})_(?P<generation>0|[1-9][0-9]{0,8})_(?P<mac>[0-9a-f]{64})"
)
_SIGN_IN: Final = "/sign-in/"
_OTHER_STARTS_S: Final = 10.0  # making keys takes milliseconds; this is a disk in trouble


class BadKeys(Exception):
    """The key files cannot be used; the text is one line for the operator."""


class BadToken(Exception):
    """The text is not a token of this house, of the kind asked for, that holds now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for."""

    consumer_id: str
    session_id: str
    expires_at: int  # milliseconds since the epoch
    mode: Mode

    @property
    def guest(self) -> bool:
        """Whether nobody knows who it is: the session began without an address or an account."""
        return self.consumer_id.startswith(GUEST_PREFIX)


class RefreshToken(NamedTuple):
    """What a refresh token of ours says; whether it is the newest, the books know."""

    session_id: str
    generation: int  # how often the session had been refreshed when it was given out


@dataclass(frozen=True, slots=True)
class DemoBidder:
    """An invented person who may bid in the demonstration sale."""

    name: str
    email: str
    consumer_id: str
    paddle: int
    token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    url: str = field(repr=False)  # signs in whoever opens it


@dataclass(frozen=True, slots=True)
class Demo:
    """The demonstration: who bids, and the ids under which its sale and lots are seeded."""

    bidders: tuple[DemoBidder, ...]
    console_url: str = field(repr=False)  # signs in with the operator key, at the rostrum
    admin_url: str = field(repr=False)  # the same, at the clerk's desk
    sale_id: str
    auction_ids: tuple[str, ...]
    serials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HouseKeys:
    """Everything in the key files, unsealed.  Its ``repr`` shows no secret."""

    publishable_key: str
    secret_key: str = field(repr=False)
    operator_key: str = field(repr=False)
    signing_key_id: str
    issuer: str
    private_key: Ed25519PrivateKey = field(repr=False)
    public_key: Ed25519PublicKey = field(repr=False)
    # Derived from the master key, one for each purpose, so that none can stand in for another.
    vault_key: bytes = field(repr=False)  # seals and indexes personal data in the database
    refresh_key: bytes = field(repr=False)  # makes refresh tokens
    otp_pepper: bytes = field(repr=False)  # a copied database does not give the codes away
    payment_key: bytes = field(repr=False)  # makes the ids of payment tokens
    salt: bytes = field(repr=False)  # makes the salts of sealed bids
    verifier_key: bytes = field(repr=False)  # the verifier's, which derives its own from it
    demo: Demo | None


def load_or_create(settings: GatewaySettings, now_ms: int) -> HouseKeys:
    """The house's keys, made where they are missing.

    Keys once made stay.  The demonstration is added when DEMO is switched on later, and its
    tokens and links are renewed where they no longer hold: PUBLIC_URL changed, or 30 days
    have passed.  ``now_ms``: milliseconds since the epoch.  Raises ``BadKeys`` where files
    do not fit together, ``presence.Held`` and ``OSError``.
    """
    with presence.hold(settings.log.data_dir, "keys", patience_s=_OTHER_STARTS_S):
        master_key = _master_key(settings)
        private_key = _signing_key(settings.log.data_dir, master_key)
        file = settings.log.data_dir / "keys.json"
        found = _read_json(file) if file.exists() else {}
        written = {**_new_api_keys(), **found, "signing_key_id": _key_id(private_key.public_key())}
        try:
            if settings.demo:
                keys = _house_keys({**written, "demo": None}, settings, private_key, master_key)
                demo = written.get("demo") or _new_demo(now_ms)
                written["demo"] = _renewed_demo(demo, keys, now_ms)
            keys = _house_keys(written, settings, private_key, master_key)
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise BadKeys(f"{file} lacks or misstates {failure}") from failure
        if written != found:
            _write_json(file, written)
        return keys


def mint_access_token(
    keys: HouseKeys,
    consumer_id: str,
    lifetime_s: int,
    now_ms: int,
    *,
    session_id: str | None = None,
    mode: Mode = "test",
) -> str:
    """A signed access token; without ``session_id`` it speaks of a session that no book knows.

    The same arguments make the same token: a refresh that is sent again is answered alike.
    """
    issued = now_ms // 1000  # RFC 7519 counts in seconds
    claims = {
        "consumerId": consumer_id,
        "sessionId": session_id or new_session_id(),
        "mode": mode,
        "iat": issued,
        "exp": issued + lifetime_s,
    }
    return sign(keys, _ACCESS_TYPE, claims)


def verify_access_token(keys: HouseKeys, token: str, now_ms: int) -> Identity:
    """Whom the token speaks for; raises ``BadToken`` with the reason, never with the token.

    Whether its session has been revoked since, the caller knows from the books.
    """
    return _identity(read_signed(keys, _ACCESS_TYPE, token), now_ms)


def sign(keys: HouseKeys, token_type: str, claims: dict[str, Any]) -> str:
    """A token of this house: *claims* with its organization, issuer and audience (EdDSA)."""
    whole = {**claims, "organizationId": ORGANIZATION, "iss": keys.issuer, "aud": _AUDIENCE}
    headers = {"typ": token_type, "kid": keys.signing_key_id}
    return jwt.encode(whole, keys.private_key, algorithm="EdDSA", headers=headers)


def read_signed(keys: HouseKeys, token_type: str, token: str) -> dict[str, Any]:
    """The claims of a token that this house has signed, of this very type.

    ``iat`` and ``exp`` are in it, but the time is not looked at.  Raises ``BadToken``.
    """
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != token_type or header.get("kid") != keys.signing_key_id:
            raise BadToken(f"not a token of type {token_type} of this house")
        claims: dict[str, Any] = jwt.decode(
            token,
            keys.public_key,
            algorithms=["EdDSA"],  # never what the token's own header says
            issuer=keys.issuer,
            audience=_AUDIENCE,
            options={
                "require": ["exp", "iat", "iss", "aud"],
                # These would read the clock of this machine; the time is the caller's.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError) as failure:
        raise BadToken(f"not a token of this house: {type(failure).__name__}") from failure
    if claims.get("organizationId") != ORGANIZATION:
        raise BadToken("a token of another organization")
    return claims


def jwks(keys: HouseKeys) -> dict[str, Any]:
    """The public keys that our tokens are checked with, as a JWK Set (RFC 7517, RFC 8037)."""
    x = _base64url(keys.public_key.public_bytes_raw())
    key = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig"}
    return {"keys": [{**key, "kid": keys.signing_key_id}]}


def new_session_id() -> str:
    """A session's name, which nobody has had before."""
    return _SESSION_PREFIX + random_name(20)


def refresh_token(keys: HouseKeys, session_id: str, generation: int) -> str:
    """The session's refresh token of that generation.

    It is nowhere stored: every gateway makes the same one, and a copied database holds none.
    """
    part = session_id.removeprefix(_SESSION_PREFIX)
    return f"rt_{part}_{generation}_{_refresh_mac(keys, session_id, generation)}"


def read_refresh_token(keys: HouseKeys, text: str) -> RefreshToken | None:
    """What the text says, if it is a refresh token that this house has made."""
    match = _REFRESH_TOKEN.fullmatch(text)
    if match is None:
        return None
    session_id, generation = _SESSION_PREFIX + match["part"], int(match["generation"])
    if not hmac.compare_digest(_refresh_mac(keys, session_id, generation), match["mac"]):
        return None
    return RefreshToken(session_id, generation)


def _refresh_mac(keys: HouseKeys, session_id: str, generation: int) -> str:
    text = f"refresh|{session_id}|{generation}".encode()
    return hmac.digest(keys.refresh_key, text, "sha256").hex()


def anonymity_salt(keys: HouseKeys) -> bytes:
    """The secret that public names, of bidders and bids, are made with: the same after every
    start."""
    seed = keys.private_key.private_bytes_raw()
    return hmac.digest(seed, b"fairwarning-anonymous-bidder/v1", "sha256")


def webhook_key(keys: HouseKeys) -> bytes:
    """What the secrets of webhooks are derived from: the same in every process."""
    return hmac.digest(keys.vault_key, b"fairwarning-webhooks/v1", "sha256")


def random_name(length: int) -> str:
    """Random characters that can be read aloud; about 4.8 bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _identity(claims: dict[str, Any], now_ms: int) -> Identity:
    consumer, session, expires = (claims.get(k) for k in ("consumerId", "sessionId", "exp"))
    if not (isinstance(consumer, str) and isinstance(session, str) and isinstance(expires, int)):
        raise BadToken("not an access token of this house: claims are missing")
    mode = claims.get("mode")
    if mode not in ("live", "test"):
        raise BadToken("not an access token of this house: live or test is not said")
    expires_at = expires * 1000
    if now_ms >= expires_at:
        raise BadToken("expired")
    return Identity(consumer, session, expires_at, mode)


# The files.


def _master_key(settings: GatewaySettings) -> bytes:
    file = settings.master_key_file
    sealed = settings.log.data_dir / "signing-key.json"
    try:
        key = base64.b64decode(file.read_bytes(), validate=False)
    except FileNotFoundError:
        if sealed.exists():  # a new key would open nothing that the lost one has sealed
            raise BadKeys(f"{sealed} is there, but {file}, which opens it, is missing") from None
        key = _new_master_key(file)
    except (OSError, ValueError) as failure:
        raise BadKeys(f"MASTER_KEY_FILE={str(file)!r}: cannot be read: {failure}") from failure
    if len(key) != 32:
        raise BadKeys(f"MASTER_KEY_FILE={str(file)!r}: must hold 32 bytes in base64")
    return key


def _new_master_key(file: Path) -> bytes:
    key = secrets.token_bytes(32)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, base64.b64encode(key) + b"\n")
    except OSError as failure:
        raise BadKeys(f"MASTER_KEY_FILE={str(file)!r}: cannot be written: {failure}") from failure
    return key


def _signing_key(data_dir: Path, master_key: bytes) -> Ed25519PrivateKey:
    file = data_dir / "signing-key.json"
    if not file.exists():
        private_key = Ed25519PrivateKey.generate()
        _write_json(file, _seal(private_key, master_key))
        return private_key
    sealed = _read_json(file)
    try:
        kid, nonce, text = (sealed[name] for name in ("kid", "nonce", "sealed"))
        raw = AESGCM(master_key).decrypt(
            base64.b64decode(nonce), base64.b64decode(text), kid.encode()
        )
        return Ed25519PrivateKey.from_private_bytes(raw)
    except (InvalidTag, KeyError, ValueError, TypeError, AttributeError) as failure:
        raise BadKeys(f"{file} cannot be opened with this master key") from failure


def _seal(private_key: Ed25519PrivateKey, master_key: bytes) -> dict[str, str]:
    kid = _key_id(private_key.public_key())
    nonce = secrets.token_bytes(12)  # used once: the file is never sealed again
    sealed = AESGCM(master_key).encrypt(nonce, private_key.private_bytes_raw(), kid.encode())
    return {
        "kid": kid,
        "alg": "AES-256-GCM",
        "nonce": base64.b64encode(nonce).decode(),
        "sealed": base64.b64encode(sealed).decode(),
    }


def _key_id(public_key: Ed25519PublicKey) -> str:
    """The key's thumbprint after RFC 7638 and RFC 8037."""
    x = _base64url(public_key.public_bytes_raw())
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return _base64url(hashlib.sha256(members.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError as failure:
        raise BadKeys(f"{file} is not JSON") from failure
    if not isinstance(found, dict):
        raise BadKeys(f"{file} does not hold a JSON object")
    return found


def _write_json(file: Path, content: dict[str, Any]) -> None:
    _write(file, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def _write(file: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``file`` at once, readable by its owner only."""
    beside = file.with_name(file.name + ".new")
    beside.unlink(missing_ok=True)  # of a start that was cut off; we hold the lock
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the new name itself
    finally:
        os.close(folder)


# keys.json and what it means.


def _new_api_keys() -> dict[str, Any]:
    # 40 characters of 28 are 192 bits; the publishable key is no secret, and shorter.
    return {
        "publishable_key": "pk_test_" + random_name(24),
        "secret_key": "sk_test_" + random_name(40),
        "operator_key": "optr_test_" + random_name(40),
    }


_NAMES: Final = (
    "Ada Lindqvist",
    "Bram Okafor",
    "Celia Duarte",
    "Dov Halpern",
    "Edda Brandt",
    "Farid Rahimi",
    "Greta Solheim",
    "Hugo Marchetti",
    "Ines Cardoso",
    "Jonas Weidmann",
    "Kaia Nyberg",
    "Leon Abadi",
    "Mina Takeda",
    "Nils Aaltonen",
    "Orla Keane",
    "Pavel Dvorak",
    "Quinn Ashby",
    "Rosa Villanueva",
    "Samir Haddad",
    "Tilda Engström",
    "Ugo Bellini",
    "Vera Petrova",
    "Wim de Graaf",
    "Yara Mansour",
)


def _new_demo(now_ms: int) -> dict[str, Any]:
    day = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    tail = random_name(10)  # the sale's part of every id: it decides the shard of its lots
    return {
        "bidders": [_new_bidder(name, 101 + number) for number, name in enumerate(_NAMES)],
        "console_url": _new_link(),
        "admin_url": _new_link(),
        "sale_id": f"seq_{tail}",
        "auction_ids": [f"auction_{tail}_{lot}" for lot in _different_names(_DEMO_AUCTIONS, 4)],
        # The first lots are of objects that the verifier knows.
        "serials": [new_serial(day, partial(secrets.token_bytes, 8)) for _ in range(_DEMO_OBJECTS)],
    }


def _different_names(count: int, length: int) -> list[str]:
    names: dict[str, None] = {}
    while len(names) < count:
        names[random_name(length)] = None
    return list(names)


def _new_bidder(name: str, paddle: int) -> dict[str, Any]:
    first, _, _ = name.partition(" ")
    return {
        "name": name,
        "email": f"{first.lower()}.{paddle}@example.test",  # RFC 6761: reaches nobody
        "consumerId": "cons_" + random_name(16),
        "paddle": paddle,
        "token": "",
        "refreshToken": "",
        "url": _new_link(),
    }


def _new_link() -> str:
    return _SIGN_IN + random_name(32)


def _renewed_demo(demo: dict[str, Any], keys: HouseKeys, now_ms: int) -> dict[str, Any]:
    bidders = [_renewed_bidder(bidder, keys, now_ms) for bidder in demo["bidders"]]
    # The links of the house's own people are made where a demonstration of before has none.
    own = {name: demo.get(name) or _new_link() for name in ("console_url", "admin_url")}
    links = {name: _renewed_link(url, keys) for name, url in own.items()}
    return {"bidders": bidders, **links, **{k: v for k, v in demo.items() if k not in _RENEWED}}


_RENEWED: Final = ("bidders", "console_url", "admin_url")


def _renewed_link(url: str, keys: HouseKeys) -> str:
    return f"{keys.issuer}{_SIGN_IN}{code_of(url)}"


def code_of(url: str) -> str:
    """What a sign-in link is known by, wherever the house lies."""
    return url.rpartition(_SIGN_IN)[2]


def _renewed_bidder(bidder: dict[str, Any], keys: HouseKeys, now_ms: int) -> dict[str, Any]:
    found = {**bidder, "url": _renewed_link(bidder["url"], keys)}
    if _tokens_hold(keys, bidder["token"], bidder["refreshToken"], now_ms):
        return found
    # Another session, and not the old one taken up: its refresh token may have been used.
    session = new_session_id()
    token = mint_access_token(
        keys, bidder["consumerId"], _DEMO_TOKEN_S, now_ms, session_id=session, mode=DEMO_MODE
    )
    return {**found, "token": token, "refreshToken": refresh_token(keys, session, 0)}


def _tokens_hold(keys: HouseKeys, access: str, refresh: str, now_ms: int) -> bool:
    try:
        identity = verify_access_token(keys, access, now_ms)
    except BadToken:
        return False
    return read_refresh_token(keys, refresh) == RefreshToken(identity.session_id, 0)


def _house_keys(
    written: dict[str, Any],
    settings: GatewaySettings,
    private_key: Ed25519PrivateKey,
    master_key: bytes,
) -> HouseKeys:
    demo = written.get("demo") if settings.demo else None
    return HouseKeys(
        publishable_key=str(written["publishable_key"]),
        secret_key=str(written["secret_key"]),
        operator_key=str(written["operator_key"]),
        signing_key_id=str(written["signing_key_id"]),
        issuer=settings.public_url,
        private_key=private_key,
        public_key=private_key.public_key(),
        vault_key=_derived(master_key, "vault"),
        refresh_key=_derived(master_key, "refresh"),
        otp_pepper=_derived(master_key, "otp"),
        payment_key=_derived(master_key, "payment"),
        salt=_derived(master_key, "salt"),
        verifier_key=_derived(master_key, "verifier"),
        demo=_demo(demo) if demo else None,
    )


def _derived(master_key: bytes, purpose: str) -> bytes:
    """A key for one purpose (HKDF, RFC 5869); no salt is needed, the master key is random."""
    info = f"fairwarning/{purpose}/v1".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(master_key)


def _demo(written: dict[str, Any]) -> Demo:
    return Demo(
        bidders=tuple(
            DemoBidder(
                name=str(bidder["name"]),
                email=str(bidder["email"]),
                consumer_id=str(bidder["consumerId"]),
                paddle=int(bidder["paddle"]),
                token=str(bidder["token"]),
                refresh_token=str(bidder["refreshToken"]),
                url=str(bidder["url"]),
            )
            for bidder in written["bidders"]
        ),
        console_url=str(written["console_url"]),
        admin_url=str(written["admin_url"]),
        sale_id=str(written["sale_id"]),
        auction_ids=tuple(str(auction) for auction in written["auction_ids"]),
        serials=tuple(str(serial) for serial in written["serials"]),
    )
