"""Objects, and all that is kept of them, against what was signed: for the audit.

``checking`` says whether an object's record is what it was signed to be; here is the rest of
the rows, down to those that no public answer uses: who held it, what its commitments open to,
photographs that were replaced, transfers, tags.  Raises ``Disagrees`` at the first thing that
is otherwise; no message tells a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, select

from gateway.books.store import BooksError
from verifier.core import commitments, events, links, matching, serials, tags, transfers
from verifier.core.events import instant
from verifier.registry import chain, checking, photos
from verifier.registry import transfers as kept_transfers
from verifier.registry.audited_log import Progress
from verifier.registry.checking import Checked, Disagrees, Tree
from verifier.registry.objects import by_serial
from verifier.store import Store, data_vault, open_json
from verifier.tables import (
    alerts,
    aliases,
    custody,
    data_keys,
    happenings,
    news,
    owners,
)
from verifier.tables import events as written
from verifier.tables import objects as table
from verifier.tables import photos as pictures
from verifier.tables import tags as chips
from verifier.tables import transfers as handovers

Json = dict[str, Any]

_LARGEST_COUNTER: Final = 2**24 - 1  # of a tag: three bytes
# By what custody moves: the event, the roles, and the name of the step.
_STEPS: Final[Mapping[str, tuple[str, str, str]]] = {
    "registered": ("Consignor", "House", "registration"),
    "transferred": ("House", "Buyer", "sale"),
    "returned": ("House", "Consignor", "return"),
    "consigned": ("Consignor", "House", "consignment"),
}


@dataclass(frozen=True, slots=True)
class Life:
    """An object, its events, and what their commitments open to."""

    row: Row[Any]
    checked: Checked
    opened: tuple[Json, ...]  # by event: the private values; empty where they were erased

    @property
    def name(self) -> str:
        """What it is called in a finding."""
        return f"object {self.row.serial}"

    def of_type(self, kind: str) -> list[tuple[Row[Any], Json, Json]]:
        """Its events of this type: the row, what was signed, and what was private."""
        subjects = (document["credentialSubject"] for document in self.checked.documents)
        together = zip(self.checked.rows, subjects, self.opened, strict=True)
        return [(row, said, private) for row, said, private in together if row.type == kind]


def check(connection: Connection, store: Store, tree: Tree, progress: Progress) -> Counter[str]:
    """Check every object; how many there are of what."""
    people = _check_owners(connection, store)
    rows = connection.execute(select(table).order_by(table.c.object_id)).all()
    _check_children(connection, {row.object_id for row in rows}, people)
    counts: Counter[str] = Counter(objects=len(rows), owners=len(people))
    sales = _Told(connection)
    for number, row in enumerate(rows, 1):
        life = _life(connection, store, row, tree, people)
        _check_row(connection, store, life)
        _check_aliases(connection, life)
        _check_custody(connection, life)
        counts["photographs"] += _check_photos(connection, store, life)
        counts["tags"] += _check_tag(connection, store, life)
        counts["transfers"] += _check_transfers(connection, life, people, sales)
        _check_alert(connection, life)
        _check_erasures(life, people)
        sales.check(life)
        progress(number, len(rows))
    sales.end()
    return counts


def _one_each(name: str, found: Iterable[Any], expected: Iterable[Any]) -> None:
    """Is what was found what was expected, however often each of it comes?"""
    have, want = Counter(found), Counter(expected)
    if have != want:
        raise Disagrees(name)


def _open(store: Store, connection: Connection, subject: str, *place: Any) -> Json:
    """What lies sealed under the data key of an object or a person.  Raises ``BooksError``."""
    vault = data_vault(connection, store.vault, subject)
    if vault is None:
        raise BooksError("its data key is gone")
    return open_json(vault, *place)


# ── Persons ──────────────────────────────────────────────────────────────────────────────


def _check_owners(connection: Connection, store: Store) -> dict[str, Row[Any]]:
    """Who is known can be read, and of who was erased nothing is left."""
    people = {row.owner_id: row for row in connection.execute(select(owners))}
    for owner_id, row in sorted(people.items()):
        if row.erased_at is not None:
            if (row.sealed, row.external_index, row.email_index) != (None, None, None):
                raise Disagrees(f"owner {owner_id}: they were erased, and something is left")
            continue
        try:
            known = _open(store, connection, owner_id, "owner", owner_id, row.sealed or b"")
        except BooksError as fault:
            raise Disagrees(f"owner {owner_id}: what is known of them was touched") from fault
        found_by = row.external_index, row.email_index
        if found_by != _indexes(store, row.mode, known) and found_by != _of_the_house(store, row):
            raise Disagrees(f"owner {owner_id}: they are found by other words than their own")
    return people


def _indexes(store: Store, mode: str, known: Json) -> tuple[str | None, str | None]:
    external, email = known["external_id"], known["email"]
    return (
        None if not external else store.vault.index("owner external id", mode, external),
        None if not email else store.vault.index("owner email", mode, email.strip().lower()),
    )


def _of_the_house(store: Store, row: Row[Any]) -> tuple[str, None]:
    """What the house itself is found by, as an owner."""
    return store.vault.index("the house", row.mode), None


def _check_children(
    connection: Connection, object_ids: set[str], people: Mapping[str, Row[Any]]
) -> None:
    """Nothing is of an object that there is not, and every data key is somebody's."""
    of_objects: tuple[Table, ...] = (aliases, written, custody, pictures, chips, handovers, alerts)
    for child in of_objects:
        found = set(connection.scalars(select(child.c.object_id).distinct()))
        if not found <= object_ids:
            raise Disagrees(f"{child.name}: a row is of an object that there is not")
    living = {owner_id for owner_id, row in people.items() if row.erased_at is None}
    _one_each(
        "data keys: there is one of each object and of each person, and no other",
        connection.scalars(select(data_keys.c.subject)),
        object_ids | living,
    )


# ── The record ───────────────────────────────────────────────────────────────────────────


def _life(
    connection: Connection,
    store: Store,
    row: Row[Any],
    tree: Tree,
    people: Mapping[str, Row[Any]],
) -> Life:
    checked = checking.check(connection, store, row, tree)
    # What was signed with a key that was given up later is still what was signed.
    taken_back = checked.revoked and checked.signature_valid and checked.chain_intact
    if checked.fault is not None and not (taken_back and checked.included):
        raise Disagrees(f"object {row.serial}: {checked.fault}")
    opened = tuple(
        _opened(connection, store, row, event, document, people)
        for event, document in zip(checked.rows, checked.documents, strict=True)
    )
    return Life(row, checked, opened)


def _opened(
    connection: Connection,
    store: Store,
    row: Row[Any],
    event: Row[Any],
    document: Json,
    people: Mapping[str, Row[Any]],
) -> Json:
    """The private values of an event, each of them what was committed to."""
    name = f"object {row.serial}: event {event.seq}"
    if document["id"] != f"urn:fairwarning:event:{event.event_id}":
        raise Disagrees(f"{name}: its id is not what was signed")
    if document["credentialSubject"]["seq"] != event.seq:
        raise Disagrees(f"{name}: it has another number than was signed")
    if document["validFrom"] != instant(event.type, event.at):
        raise Disagrees(f"{name}: it was at another time than was signed")
    promised = document["credentialSubject"]["commitments"]
    personal = promised.keys() & events.PERSONAL
    _check_person(name, event, personal, people)
    try:
        opened = chain.opened(connection, store, event)
        about = chain.opened_person(connection, store, event)
    except BooksError as fault:
        raise Disagrees(f"{name}: its private fields were touched") from fault
    if opened.keys() != promised.keys() - personal:
        raise Disagrees(f"{name}: it has other private fields than it has promised")
    if about and about.keys() != personal:
        raise Disagrees(f"{name}: it says other things of a person than it has promised")
    for field, one in {**opened, **about}.items():
        if not commitments.opens(promised[field], bytes.fromhex(one["salt"]), field, one["value"]):
            raise Disagrees(f"{name}: its commitment to {field} does not open")
    return {field: one["value"] for field, one in opened.items()}


def _check_person(
    name: str, event: Row[Any], personal: Set[str], people: Mapping[str, Row[Any]]
) -> None:
    """What is about a person is there as long as they are known, and no longer."""
    if (event.of_owner is not None) != bool(personal):
        raise Disagrees(f"{name}: it is about a person and says nothing, or the other way")
    if event.of_owner is None:
        if event.personal is not None:
            raise Disagrees(f"{name}: it says something of nobody")
        return
    about = people.get(event.of_owner)
    if about is None:
        raise Disagrees(f"{name}: it is about nobody who is known")
    if (event.personal is None) != (about.erased_at is not None):
        raise Disagrees(f"{name}: a person was erased and something is left, or the other way")


def _check_row(connection: Connection, store: Store, life: Life) -> None:
    row = life.row
    last, registered = life.checked.documents[-1], life.checked.rows[0]
    if links.read_link(row.link).serial != row.link_serial:
        raise Disagrees(f"{life.name}: its link carries another serial than the row says")
    if row.binding != life.checked.photo_binding and not life.checked.revoked:
        raise Disagrees(f"{life.name}: its photographs are {life.checked.photo_binding}")
    if row.registered_at != registered.at:
        raise Disagrees(f"{life.name}: it was registered at another time")
    if instant(life.checked.rows[-1].type, row.updated_at) != last["proof"]["created"]:
        raise Disagrees(f"{life.name}: it was changed last at another time")
    try:
        private = _open(store, connection, row.object_id, "object", row.object_id, row.sealed)
    except BooksError as fault:
        raise Disagrees(f"{life.name}: its private fields were touched") from fault
    said = {name: value for name, value in life.opened[0].items() if name != "consignorId"}
    if {name: value for name, value in private.items() if value} != said:
        raise Disagrees(f"{life.name}: its private fields are not those of its registration")


def _check_aliases(connection: Connection, life: Life) -> None:
    row = life.row
    own = serials.normalised(row.serial) or serials.looked_up_as(row.serial)
    expected = {own} | ({row.link_serial} if row.link_serial != row.serial else set())
    found = select(aliases.c.alias).where(aliases.c.object_id == row.object_id)
    _one_each(f"{life.name}: it is found by other serials", connection.scalars(found), expected)


def _check_custody(connection: Connection, life: Life) -> None:
    """Custody moves with the events that say so, from whoever held it."""
    query = select(custody).where(custody.c.object_id == life.row.object_id)
    rows = connection.execute(query.order_by(custody.c.number)).all()
    moves = [event for event in life.checked.rows if event.type in _STEPS]
    if [row.seq for row in rows] != [event.seq for event in moves]:
        raise Disagrees(f"{life.name}: its custody is not that of its events")
    holder = consignor = rows[0].to_id
    for number, (row, event) in enumerate(zip(rows, moves, strict=True)):
        name = f"{life.name}: custody {number}"
        if row.number != number:
            raise Disagrees(f"{name}: it is numbered otherwise")
        if (row.from_role, row.to_role, row.transfer_type) != _STEPS[event.type]:
            raise Disagrees(f"{name}: it says other roles than its event")
        if row.from_id != (None if event.type == "returned" else holder):
            raise Disagrees(f"{name}: it comes from somebody who did not hold the object")
        if event.type != "transferred" and row.to_id != holder:
            raise Disagrees(f"{name}: nobody was sold the object, and somebody else has it")
        said = life.opened[event.seq].get("consignorId", row.to_id)
        if row.to_id != said or event.of_owner not in (None, row.to_id):
            raise Disagrees(f"{name}: it is another person's than was committed to")
        holder = row.to_id
        consignor = holder if event.type in ("registered", "consigned") else consignor
    if (life.row.holder_id, life.row.consignor_id) != (holder, consignor):
        raise Disagrees(f"{life.name}: somebody else holds it, or has consigned it")


def _check_erasures(life: Life, people: Mapping[str, Row[Any]]) -> None:
    """Whenever somebody was erased of whom the history had something, it says so."""
    about = {event.of_owner for event in life.checked.rows if event.of_owner is not None}
    erased = {people[owner_id].erased_at for owner_id in about} - {None}
    _one_each(
        f"{life.name}: somebody was erased, and it does not say so, or the other way",
        {event.at for event, _, _ in life.of_type("erased")},
        erased,
    )


# ── Photographs and tags ─────────────────────────────────────────────────────────────────


def _check_photos(connection: Connection, store: Store, life: Life) -> int:
    """Every photograph there has been is what was signed, its original too; how many."""
    query = select(pictures).where(pictures.c.object_id == life.row.object_id)
    kept = connection.execute(query).all()
    rows = {row.template_digest: row for row in kept}
    signed = life.of_type("photographed")
    _one_each(
        f"{life.name}: its photographs are not those of its events",
        (row.template_digest for row in kept),
        (said["details"]["templateDigest"] for _, said, _ in signed),
    )
    names = {row.photo_id: row for row in rows.values()}
    standing: dict[str, Row[Any]] = {}
    read: set[str] = set()
    for event, said, _ in signed:
        row = rows[said["details"]["templateDigest"]]
        name = f"{life.name}: photograph {row.angle} of event {event.seq}"
        before = standing.get(row.angle)
        replaces = {} if before is None else {"supersedes": before.sha256}
        if {**photos.binding(row), **replaces} != said["details"]:
            raise Disagrees(f"{name}: it is not what was signed")
        if row.created_at != event.at:
            raise Disagrees(f"{name}: it was taken in at another time")
        if before is not None and before.superseded_at != event.at:
            raise Disagrees(f"{name}: the one before it was replaced at another time")
        wanted = matching.TIERS[life.row.security_tier].anchors
        if row.matchable != (row.anchors_found is not None and row.anchors_found >= wanted):
            raise Disagrees(f"{name}: its anchors do not say whether it can be matched")
        first = names.get(row.original)
        if first is None or first.sha256 != row.sha256:
            raise Disagrees(f"{name}: its original is another photograph's")
        checking.check_features(store, name, row)
        if row.original not in read:
            checking.check_original(store, row)
            read.add(row.original)
        standing[row.angle] = row
    if any(row.superseded_at is not None for row in standing.values()):
        raise Disagrees(f"{life.name}: a photograph was replaced, and by nothing")
    return len(rows)


def _check_tag(connection: Connection, store: Store, life: Life) -> int:
    query = select(chips).where(chips.c.object_id == life.row.object_id)
    rows, signed = connection.execute(query).all(), life.of_type("tag_bound")
    name = f"{life.name}: its tag"
    if len(rows) != len(signed):
        raise Disagrees(f"{name} is not that of its events")
    for row, (event, _, _) in zip(rows, signed, strict=True):
        # ``checking`` has opened it, and found it to be the one that was signed.
        uid = open_json(store.vault, "tag", row.tag_id, row.sealed)["uid"]
        if row.uid_index != store.vault.index("tag uid", life.row.mode, uid):
            raise Disagrees(f"{name} is found by another uid than its own")
        if row.bound_at != event.at:
            raise Disagrees(f"{name} was bound at another time")
        _check_template(name, row)
        tapped = row.last_counter >= 0
        if not -1 <= row.last_counter <= _LARGEST_COUNTER:
            raise Disagrees(f"{name} has counted what no tag counts")
        if any((one is None) == tapped for one in (row.tap_digest, row.tap_at)):
            raise Disagrees(f"{name} was tapped, and nothing says when, or the other way")
        if row.tampered and not tapped:
            raise Disagrees(f"{name} was opened, and never tapped")
    return len(rows)


def _check_template(name: str, row: Row[Any]) -> None:
    try:
        tags.read_template(row.url_template)
    except ValueError as fault:
        raise Disagrees(f"{name} has a template that no tag has") from fault


# ── What happened to them ────────────────────────────────────────────────────────────────


def _check_transfers(
    connection: Connection, life: Life, people: Mapping[str, Row[Any]], told: _Told
) -> int:
    """Title passes by a confirmed transfer, and by nothing else; how many there are."""
    query = select(handovers).where(handovers.c.object_id == life.row.object_id)
    rows = connection.execute(query.order_by(handovers.c.transfer_id)).all()
    passed = {event.event_id: event for event, _, _ in life.of_type("transferred")}
    confirmed = [row for row in rows if row.state == "confirmed"]
    _one_each(
        f"{life.name}: its transfers are not those of its events",
        (row.event_id for row in confirmed),
        list(passed),
    )
    if sum(row.state in transfers.OPEN for row in rows) > 1:
        raise Disagrees(f"{life.name}: two transfers are open")
    for row in rows:
        _check_transfer(life, row, people)
    for row in confirmed:
        event = passed[row.event_id]
        if row.updated_at != event.at:
            raise Disagrees(f"transfer {row.transfer_id}: it was confirmed at another time")
        mine = custody.c.object_id == row.object_id, custody.c.seq == event.seq
        step = connection.execute(select(custody).where(*mine)).one()
        if (step.from_id, step.to_id) != (row.from_id, row.to_id):
            raise Disagrees(f"transfer {row.transfer_id}: it was between others")
        if life.opened[event.seq]["terms"] != kept_transfers.terms_of(row):
            raise Disagrees(f"transfer {row.transfer_id}: its event commits to other terms")
        told.passed_on(row, life.row.serial)
    return len(rows)


def _check_transfer(life: Life, row: Row[Any], people: Mapping[str, Row[Any]]) -> None:
    name = f"transfer {row.transfer_id}"
    parties = row.from_id, row.to_id
    if row.mode != life.row.mode or any(
        party not in people or people[party].mode != row.mode for party in parties
    ):
        raise Disagrees(f"{name}: it is between nobody who is known in its mode")
    terms = transfers.terms_hash(row.object_id, *parties, row.price, row.currency)
    if row.terms_hash != terms:
        raise Disagrees(f"{name}: its terms are not what was agreed")
    if row.state not in transfers.TRANSITIONS:
        raise Disagrees(f"{name}: a state that is none")
    if (row.event_id is None) != (row.state != "confirmed"):
        raise Disagrees(f"{name}: it has an event and is not confirmed, or the other way")
    given = row.codes > 0
    if (row.code_mac is None) == given or (row.expires_at is None) == given:
        raise Disagrees(f"{name}: it has a code and none was given out, or the other way")
    if not 0 <= row.codes <= transfers.MOST_CODES:
        raise Disagrees(f"{name}: it had more codes than it may have")
    if not 0 <= row.attempts <= (transfers.MOST_ATTEMPTS if given else 0):
        raise Disagrees(f"{name}: it had more attempts than a code has")
    if row.state in ("confirmed", "expired", "locked") and not given:
        raise Disagrees(f"{name}: it is {row.state}, and had no code")
    if row.updated_at < row.created_at:
        raise Disagrees(f"{name}: it was changed before it was made")
    if given and row.expires_at < row.created_at:
        raise Disagrees(f"{name}: its code was over before it was made")
    if row.auction_id is not None:
        _check_settlement(name, life, row)


def _check_settlement(name: str, life: Life, row: Row[Any]) -> None:
    """An auction's transfer: of an auction that has listed it, in the amounts of its sale."""
    listed = [said["details"].get("auctionId") for _, said, _ in life.of_type("listed")]
    if None not in listed and row.auction_id not in listed:
        raise Disagrees(f"{name}: no event says that this auction has listed the object")
    sold = [said["details"] for _, said, _ in life.of_type("sold")]
    written_so = {
        (len(one["hammerPrice"].partition(".")[2]), one["currency"])
        for one in sold
        if "hammerPrice" in one
    }
    if (row.exponent, row.currency) not in written_so:
        raise Disagrees(f"{name}: its amounts are not those of the sale")


def _check_alert(connection: Connection, life: Life) -> None:
    """What was raised last is what the history says was raised last."""
    query = select(alerts).where(alerts.c.object_id == life.row.object_id)
    rows, raised = connection.execute(query).all(), life.of_type("scan_alert")
    if len(rows) != len(raised[-1:]):
        raise Disagrees(f"{life.name}: its alert is not that of its events")
    for row, (event, said, private) in zip(rows, raised[-1:], strict=True):
        shown = row.level, row.reasons, row.at
        if shown != (said["details"]["level"], private.get("reasons"), event.at):
            raise Disagrees(f"{life.name}: its alert is not what was raised")


class _Told:
    """What sales have told, and what was told of transfers, against what came of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sold: Counter[tuple[str, str, int]] = Counter()
        self._listed: dict[str, list[int]] = {}
        for row in connection.execute(select(news).order_by(news.c.origin)):
            self._read(row)
        query = select(happenings).where(happenings.c.type == "transfer.completed")
        self._passed = Counter(
            (row.data.get("serial"), row.data.get("transferId"), row.mode, row.at)
            for row in connection.execute(query)
        )
        self._check_happenings()

    def _read(self, row: Row[Any]) -> None:
        name = f"news {row.origin}"
        if row.recorded != (row.reason is None):
            raise Disagrees(f"{name}: it was not recorded, and nothing says why, or the other way")
        if row.kind not in ("listed", "passed", "unlisted", "sold", "paid", "erased"):
            raise Disagrees(f"{name}: it is of nothing that a sale does")
        if not row.recorded:
            return
        if (row.serial is None) != (row.kind == "erased"):
            raise Disagrees(f"{name}: it names an object and a person was erased, or neither")
        if row.serial is None:
            return
        found = by_serial(self._connection, row.serial)
        if found is None:
            raise Disagrees(f"{name}: it is of an object that there is not")
        if row.kind in ("passed", "unlisted", "sold"):
            self._sold[found.object_id, row.kind, row.at] += 1
        if row.kind == "listed":
            self._listed.setdefault(found.object_id, []).append(row.at)

    def _check_happenings(self) -> None:
        known = ("verification.completed", "counterfeit.alert", "transfer.completed")
        for row in self._connection.execute(select(happenings).order_by(happenings.c.number)):
            found = by_serial(self._connection, str(row.data.get("serial")))
            if row.type not in known or found is None or found.mode != row.mode:
                raise Disagrees(f"happening {row.number}: it is of nothing that can happen")

    def passed_on(self, row: Row[Any], serial: str) -> None:
        """A confirmed transfer was told once."""
        self._passed[serial, row.transfer_id, row.mode, row.updated_at] -= 1

    def check(self, life: Life) -> None:
        """What sales have told of this object is what its events say they did."""
        object_id = life.row.object_id
        for event, _, private in life.of_type("passed"):
            # A sale to nobody, and one that was called off, come to the same.
            self._sold[object_id, private.get("reason", "passed"), event.at] -= 1
        for event, said, _ in life.of_type("sold"):
            if "hammerPrice" in said["details"]:
                self._sold[object_id, "sold", event.at] -= 1
        self._check_open_auction(life)

    def _check_open_auction(self, life: Life) -> None:
        """An auction is open on it from the news that it was listed until its end."""
        row, listed = life.row, life.of_type("listed")
        since = listed[-1][0].at if row.status == "listed" else None
        is_open = since is not None and any(
            at >= since for at in self._listed.get(row.object_id, [])
        )
        if (row.open_auction is not None) != is_open:
            raise Disagrees(f"{life.name}: an auction is open on it and no sale says so, or not")
        # Listed by hand, it may have been taken up by an auction without a second event.
        is_by_sale = is_open and listed[-1][0].at in self._listed[row.object_id]
        if is_by_sale and listed[-1][1]["details"].get("auctionId") != row.open_auction:
            raise Disagrees(f"{life.name}: another auction is open on it than was signed")

    def end(self) -> None:
        """After the last object."""
        if any(self._sold.values()):
            raise Disagrees("news: a sale has told what no event says, or the other way")
        if any(self._passed.values()):
            raise Disagrees("happenings: a transfer was told that was none, or the other way")
