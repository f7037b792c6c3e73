"""Tags: NXP's published messages, a software tag's, and every bit of them changed."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from tests.verifier.software_tag import Layout, SoftwareTag
from tests.verifier.vectors import flips, needs_shared, shared
from verifier.core.tags import (
    BadTag,
    BadTemplate,
    TagMessage,
    UrlTemplate,
    _LrpSession,
    cmac,
    diversified,
    is_factory,
    read_key,
    read_message,
    read_template,
    read_uid,
)

ZERO = bytes(16)
PICC_ONLY = UrlTemplate(mac="c", picc="e")
WITH_FILE = UrlTemplate(mac="c", picc="e", file="m", signed_between="&cmac=")
LAYOUTS: tuple[Layout, ...] = ("?e=&c=", "?e=&m=&c=", "?uid=&ctr=&c=")


def read(tag: SoftwareTag, parameters: dict[str, str]) -> TagMessage:
    return read_message(parameters, read_template(tag.url_template), tag.meta_key, tag.file_key)


# ── Published messages ───────────────────────────────────────────────────────────────────


def test_nxps_two_worked_examples() -> None:
    """AN12196: encrypted UID and counter alone, and with encrypted file data."""
    alone = {"e": "EF963FF7828658A599F3041510671E88", "c": "94EED9EE65337086"}
    assert read_message(alone, PICC_ONLY, ZERO, ZERO) == TagMessage("04DE5F1EACC040", 61, None)
    filed = {
        "e": "FD91EC264309878BE6345CBE53BADF40",
        "m": "CEE9A53E3E463EF1F459635736738962",
        "c": "ECC1E7F6C6C73BF6",
    }
    assert read_message(filed, WITH_FILE, ZERO, ZERO) == TagMessage("04958CAA5C5E80", 8, None)


def of_vector(vector: dict[str, Any]) -> tuple[dict[str, str], UrlTemplate]:
    parameters = {"e": vector["picc_enc"], "c": vector["sdmmac"]}
    if "enc_file" not in vector:
        return parameters, PICC_ONLY
    return parameters | {"m": vector["enc_file"]}, WITH_FILE


@needs_shared
def test_published_messages_in_aes_mode() -> None:
    """Good ones give UID and counter, the forged one is refused."""
    for vector in shared("ntag424_sun.json")["aes_sun"]:
        parameters, template = of_vector(vector)
        keys = bytes.fromhex(vector["meta_key"]), bytes.fromhex(vector["file_key"])
        if not vector["valid"]:
            with pytest.raises(BadTag, match="signature"):
                read_message(parameters, template, *keys)
            continue
        message = read_message(parameters, template, *keys)
        assert (message.uid, message.counter) == (vector["uid"], vector["ctr"])


@needs_shared
def test_published_messages_in_the_clear() -> None:
    """UID and counter unencrypted: the good one is read, the forged one refused."""
    for vector in shared("ntag424_sun.json")["plain_sun"]:
        parameters = {
            "uid": vector["uid"],
            "ctr": f"{vector['ctr']:06X}",
            "c": vector["sdmmac"],
        }
        key = bytes.fromhex(vector["file_key"])
        if vector["valid"]:
            message = read_message(parameters, UrlTemplate(mac="c"), None, key)
            assert message == TagMessage(vector["uid"], vector["ctr"], None)
        else:
            with pytest.raises(BadTag, match="signature"):
                read_message(parameters, UrlTemplate(mac="c"), None, key)


@needs_shared
def test_published_messages_in_lrp_mode() -> None:
    """AN12304's primitive, with and without file data; a changed byte is refused."""
    for vector in shared("ntag424_sun.json")["lrp_sun"]:
        parameters, template = of_vector(vector)
        keys = bytes.fromhex(vector["meta_key"]), bytes.fromhex(vector["file_key"])
        message = read_message(parameters, template, *keys)
        assert (message.uid, message.counter) == (vector["uid"], vector["ctr"])
        for changed in one_bit_away(parameters, every=7):
            with pytest.raises(BadTag):
                read_message(changed, template, *keys)


@needs_shared
def test_file_data_in_lrp_mode() -> None:
    """They decrypt to the published text, with the session of the tap."""
    vector = shared("ntag424_sun.json")["lrp_sun"][0]
    counter = vector["ctr"].to_bytes(3, "little")
    session = _LrpSession(ZERO, bytes.fromhex(vector["uid"]) + counter)
    plain = session.decrypt(counter, bytes.fromhex(vector["enc_file"]))
    assert plain.decode() == vector["file_plain_ascii"]


def backend_key(master: bytes, uid: bytes, number: int) -> bytes:
    """The key derivation of nfc-developer/sdm-backend, for its test messages."""
    slot = hmac.digest(master, b"SlotMasterKey" + bytes([number]), "sha256")[:16]
    base = hmac.digest(master, b"DivBaseKey", "sha256")
    return cmac(slot, b"\x01" + hmac.digest(base, uid, "sha256")[:16])


@needs_shared
def test_a_backends_derived_keys_and_messages() -> None:
    """sdm-backend's keys are derived with our CMAC, and its tags' messages are read."""
    vectors = shared("ntag424_sun.json")["sdm_backend_kdf"]
    for case in vectors["cases"]:
        master, uid = bytes.fromhex(case["mk"]), bytes.fromhex(case["uid"])
        assert backend_key(master, uid, case["n"]).hex() == case["key"]
        if "undiv1" in case:
            assert hmac.digest(master, b"PICCDataKey", "sha256")[:16].hex() == case["undiv1"]
    for vector in vectors["sun"]:
        parameters, _ = of_vector(vector)
        template = UrlTemplate(mac="c", picc="e", file="m")  # it signs the file data alone
        master = bytes.fromhex(vector["mk"])
        meta_key = hmac.digest(master, b"PICCDataKey", "sha256")[:16]
        file_key = backend_key(master, bytes.fromhex(vector["uid"]), 2)
        message = read_message(parameters, template, meta_key, file_key)
        assert (message.uid, message.counter) == (vector["uid"], vector["ctr"])
        closed = vector["file_plain_ascii"].startswith("CC")
        assert message.tamper == ("closed" if closed else None)


@needs_shared
def test_an10922_diversification() -> None:
    """NXP's worked example of a tag's own AES-128 key."""
    for vector in shared("ntag424_sun.json")["an10922_aes128"]:
        made = diversified(bytes.fromhex(vector["master"]), bytes.fromhex(vector["div_input"]))
        assert made.hex().upper() == vector["key"]
    for length in (0, 7, 15, 32):
        with pytest.raises(ValueError, match="16 to 31"):
            diversified(ZERO, bytes(length))


def test_rfc_4493() -> None:
    """The RFC's example of an empty message and of one block."""
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    assert cmac(key, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    block = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert cmac(key, block).hex() == "070a16b46b4d4144f79bdd9dd04a287c"


@needs_shared
def test_cmac_against_rfc_4493_and_wycheproof() -> None:
    """All of the RFC's examples and all 311 edge cases; keys that AES has not are refused."""
    vectors = shared("ntag424_sun.json")["rfc4493_cmac"]
    for message, expected in vectors["cases"]:
        assert cmac(bytes.fromhex(vectors["key"]), bytes.fromhex(message)).hex() == expected
    counted = 0
    for group in shared("wycheproof/aes_cmac_test.json")["testGroups"]:
        for test in group["tests"]:
            counted += 1
            key, message, tag = (bytes.fromhex(test[name]) for name in ("key", "msg", "tag"))
            if len(key) not in (16, 24, 32):
                assert test["result"] == "invalid"
                with pytest.raises(ValueError, match="key size"):
                    cmac(key, message)
                continue
            made = cmac(key, message)[: group["tagSize"] // 8]
            assert hmac.compare_digest(made, tag) == (test["result"] == "valid")
    assert counted == 311


# ── A software tag's ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_tap_is_read(layout: Layout) -> None:
    """UID and a counter that rises, past the first byte of the counter too."""
    tag = SoftwareTag(layout=layout, counter=254)
    for expected in (255, 256, 257):
        message = read(tag, tag.parameters())
        assert (message.uid, message.counter) == (tag.uid, expected)
        assert message.tamper == ("closed" if layout == "?e=&m=&c=" else None)


@pytest.mark.parametrize(
    ("loop", "tamper"),
    [
        ("CC", "closed"),
        ("OC", "open"),
        ("OO", "open"),
        ("CO", "open"),
        ("CI", "invalid"),
        ("II", "invalid"),
        ("OI", "open"),
        ("xx", None),
        ("NT", None),
        ("Cx", None),
    ],
)
def test_the_tamper_loop(loop: str, tamper: str | None) -> None:
    """Once opened it stays open; other file data say nothing of a loop."""
    tag = SoftwareTag(layout="?e=&m=&c=", loop=loop)
    assert read(tag, tag.parameters()).tamper == tamper


def one_bit_away(parameters: dict[str, str], every: int = 1) -> Iterator[dict[str, str]]:
    for name, text in parameters.items():
        for changed in islice(flips(bytes.fromhex(text)), 0, None, every):
            yield parameters | {name: changed.hex().upper()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_changed_bit_is_refused(layout: Layout) -> None:
    """Of the signature, the encrypted UID and counter, the file data, and the clear ones."""
    tag = SoftwareTag(layout=layout, counter=40)
    parameters = tag.parameters()
    changed = list(one_bit_away(parameters))
    assert len(changed) == 4 * sum(map(len, parameters.values()))
    for forged in changed:
        with pytest.raises(BadTag):
            read(tag, forged)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_tags_keys_read_nothing(layout: Layout) -> None:
    """Neither key may be another's."""
    tag = SoftwareTag(layout=layout)
    parameters = tag.parameters()
    stranger = SoftwareTag(layout=layout, file_key=b"another-16-bytes")
    with pytest.raises(BadTag):
        read(stranger, parameters)
    if layout != "?uid=&ctr=&c=":
        with pytest.raises(BadTag, match="decrypt"):
            read(SoftwareTag(layout=layout, meta_key=b"another-16-bytes"), parameters)
        with pytest.raises(BadTag, match="no key"):
            read_message(parameters, read_template(tag.url_template), None, tag.file_key)


def test_parts_of_two_taps_do_not_fit_together() -> None:
    """File data and signature belong to the counter they were made at."""
    tag = SoftwareTag(layout="?e=&m=&c=")
    one, other = tag.parameters(), tag.parameters()
    for name in ("e", "m", "c"):
        with pytest.raises(BadTag):
            read(tag, one | {name: other[name]})


def test_file_data_cannot_be_left_out() -> None:
    """A signature over file data is none without them, and the other way about."""
    tag = SoftwareTag(layout="?e=&m=&c=")
    parameters = tag.parameters()
    del parameters["m"]
    with pytest.raises(BadTag, match="m is"):
        read(tag, parameters)
    with pytest.raises(BadTag, match="signature"):
        read(SoftwareTag(layout="?e=&c="), parameters)


@pytest.mark.parametrize(
    "wrong", ["", "00", "zz" * 8, "00" * 9, "0" * 15, "0" * 17, " " * 16, "٠" * 16, "+1" * 8]
)
def test_what_is_no_hexadecimal_of_the_right_length_is_refused(wrong: str) -> None:
    """Before any key is used."""
    tag = SoftwareTag()
    for name in ("c", "e"):
        with pytest.raises(BadTag, match="hexadecimal"):
            read(tag, tag.parameters() | {name: wrong})


def test_small_letters_are_the_same_message() -> None:
    """Whoever copies a link by hand may write it small; the chip signed capitals."""
    tag = SoftwareTag(layout="?e=&m=&c=")
    parameters = tag.parameters()
    small = {name: value.lower() for name, value in parameters.items()}
    assert read(tag, small) == read(tag, parameters)


def test_what_else_is_in_the_query_does_not_matter() -> None:
    """The link's own signature, and what messengers append."""
    tag = SoftwareTag()
    assert read(tag, {"kid": "k", "utm_source": "x", **tag.parameters()}).counter == 1


# ── What is registered ───────────────────────────────────────────────────────────────────


def test_templates() -> None:
    """The names say which mirrors a tag has; the values are placeholders."""
    base = "https://v.example.org/01/09521234543213/21/S1?kid=abc&"
    assert read_template(base + "e={picc}&c={mac}") == UrlTemplate(mac="c", picc="e")
    assert read_template(base + "uid=00&ctr=00&c=00") == UrlTemplate(mac="c")
    filed = read_template(base + "e=&m=&c=")
    assert filed == UrlTemplate(mac="c", picc="e", file="m", signed_between="&c=")
    between = read_template(base + "e=&m=&sig=xyz&c=&more=1")
    assert between.signed_between == "&sig=xyz&c="


@pytest.mark.parametrize(
    "template",
    [
        "",
        "https://v.example.org/",
        "https://v.example.org/?e=&m=",
        "https://v.example.org/?c=&e=",  # the chip signs what stands before
        "https://v.example.org/?m=&e=&c=",
        "https://v.example.org/?e=&c=&c=",
        "https://v.example.org/?e=&uid=&ctr=&c=",
        "https://v.example.org/?uid=&c=",  # without a counter each tap is a replay
        "https://v.example.org/?picc_data=&cmac=",
        "https://v.example.org/?e=&c=#part",
        "ftp://v.example.org/?e=&c=",
        "https://v.example.org/" + "x" * 256 + "?e=&c=",
    ],
)
def test_templates_that_no_tag_can_be_read_by(template: str) -> None:
    """They are refused when the tag is registered, not when it is tapped."""
    with pytest.raises(BadTemplate):
        read_template(template)


def test_uids_and_keys() -> None:
    """Both are hexadecimal of one length; a refused key is not repeated."""
    assert read_uid("04:de:5f:1e:ac:c0:40") == "04DE5F1EACC040"
    assert read_key("00112233445566778899aAbBcCdDeEfF")[-1] == 255
    for text in ("", "04DE5F1EACC0", "04DE5F1EACC04000", "04DE5F1EACC04g"):
        with pytest.raises(ValueError, match="UID"):
            read_uid(text)
    for text in ("", "00" * 15, "00" * 17, "0x" + "00" * 15, "secret" * 5 + "gg"):
        with pytest.raises(ValueError, match="key is 16") as refused:
            read_key(text)
        assert not text or text not in str(refused.value)


def test_the_factory_key_proves_nothing() -> None:
    """All zeros; one bit makes it a key."""
    assert is_factory(ZERO)
    assert not is_factory(bytes(15) + b"\x01")


def test_a_tag_with_the_factory_key_is_anybodys() -> None:
    """Why it is refused: whoever knows a UID makes its messages."""
    forger = SoftwareTag(layout="?uid=&ctr=&c=", file_key=ZERO)
    assert read(forger, forger.parameters()).uid == forger.uid


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is the library's, over all eight bytes."""
    compared: list[tuple[bytes, bytes]] = []
    genuine: Callable[[bytes, bytes], bool] = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return genuine(one, other)

    monkeypatch.setattr("verifier.core.tags.hmac.compare_digest", watched)
    tag = SoftwareTag()
    parameters = tag.parameters()
    read(tag, parameters)
    assert compared == [(bytes.fromhex(parameters["c"]),) * 2]
    assert len(compared[0][0]) == 8
