"""GS1 Digital Links: what is one, what is none and why, and the links that we print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.vectors import needs_shared, shared
from verifier.core.links import (
    DEMONSTRATION_GTIN,
    MOST_CHARACTERS,
    VOCABULARY,
    BadLink,
    build_link,
    gtin_of,
    is_demonstration,
    linkset,
    read_link,
    resolver_description,
)
from verifier.core.serials import CSET_82

ITEM = "https://id.example.org/01/09506000134352"
ASSET = "https://id.example.org/8004/95060001343ART1"

# What each refusal must name: (the case's reason, ours).
REASONS = {
    "key qualifiers out of order": "in this order",
    "13-digit GTIN": "AI 01 is 14 digits",
    "AI 21 is 21 characters": "AI 21 has 21 characters, at most 20",
    "# is not in AI character set 82": "AI 21 holds a character outside .* set 82",
    "AI 8030 DIGSIG requires": "AI 8030 .* serial is missing",
    "GIAI longer than 30": "AI 8004 has 32 characters, at most 30",
    "GIAI must begin with": "AI 8004 begins with a GS1 company prefix",
    "short names withdrawn": "no primary key",
    "empty serial": "AI 21 is empty",
}


@needs_shared
def test_the_links_that_gs1s_own_engine_judged() -> None:
    """All of them come out as there, each refusal for the reason given."""
    cases = shared("gs1_digital_link_cases.json")["cases"]
    assert len(cases) == 18
    for case in cases:
        if case["valid"]:
            read_link(case["uri"])
            continue
        reason = next(ours for theirs, ours in REASONS.items() if case["why"].startswith(theirs))
        with pytest.raises(BadLink, match=reason):
            read_link(case["uri"])


def test_a_link_is_taken_apart() -> None:
    """Host, stem, key, qualifiers, and the query in its order."""
    link = read_link(
        "https://id.example.org:8443/v/01/09506000134352/22/2A/10/B%2F1/21/S1"
        "?sig=a-b_c&99=x%2Fy&kid=k1&flag&q=a+b#part"
    )
    assert link.host == "id.example.org:8443"
    assert link.stem == "/v"
    assert link.key == ("01", "09506000134352")
    assert link.qualifiers == (("22", "2A"), ("10", "B/1"), ("21", "S1"))
    assert link.query == (("sig", "a-b_c"), ("99", "x/y"), ("kid", "k1"), ("q", "a b"))
    assert link.serial == "S1"
    assert read_link(ITEM).serial is None


@pytest.mark.parametrize(
    "uri",
    [
        ITEM,
        ITEM.replace("https", "http"),
        ITEM.replace("https", "HTTPS"),
        ITEM + "?",
        ITEM + "?&&99=A&&98=B&",
        ITEM + "/235/X?10=B1",  # 10 cannot stand beside 235 in the path
        ITEM + "/21/S1#anything",
        ITEM + "/21/a%2Db%2fc",
        ITEM + "/21/A+B",  # in a path + is +
        ITEM + "/235/" + "x" * 28,
        ITEM + "/21/S1?8030=" + "_" * 90,
        ITEM + "?90=" + "x" * 30,
        ITEM + "?91=" + "x" * 90,
        "https://id.example.org/01/faux/01/09506000134352",
        "https://[2001:db8::1]:443/01/09506000134352",
        ASSET,
        ASSET + "/7040/1aB_",
        ASSET + "?8030=-0eFh",
        "https://id.example.org/8004/" + "9" * 30,
    ],
)
def test_links_that_gs1_allows(uri: str) -> None:
    """As its engine's own tests have them, for our two keys."""
    read_link(uri)


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("", "https"),
        ("urn:epc:id:sgtin:1", "https"),
        ("HtTp://a/01/09506000134352", "https"),
        ("https:///01/09506000134352", "https"),
        ("https://a$/01/09506000134352", "no host"),
        ("https://user@a/01/09506000134352", "no host"),
        ("https://[fe80::1%25lo]/01/09506000134352", "no host"),
        ("https://id.example.org", "https"),
        ("https://id.example.org/", "no primary key"),
        ("https://01/09506000134352", "no primary key"),
        (ITEM + "/", "no primary key"),
        (ITEM + "/21", "no primary key"),
        (ITEM[:-1] + "3", "check digit 2"),
        (ITEM[:-1], "14 digits"),
        (ITEM[:-1] + "%32%32", "14 digits"),
        (ITEM[:-1] + "%C2%B2", "outside"),
        (ITEM + "/99/x", "in this order"),
        (ITEM + "/21/S1/21/S1", "once each"),
        (ITEM + "/21/S1/235/X", "in this order"),
        (ITEM + "/10/B1/22/2A", "in this order"),
        (ITEM + "/7040/1aB_", "in this order"),
        (ITEM + "/21/A B", "percent-encoded"),
        (ITEM + "/21/Ä", "percent-encoded"),
        (ITEM + "/21/%", "percent-encoded"),
        (ITEM + "/21/%4", "percent-encoded"),
        (ITEM + "/21/A\n", "percent-encoded"),
        (ITEM + "/21/%00", "character set 82"),
        (ITEM + "/21/A%20B", "character set 82"),
        (ITEM + "/21/A@B", "character set 82"),
        (ITEM + "/22/" + "x" * 21, "AI 22 has 21"),
        (ITEM + "/235/" + "x" * 29, "AI 235 has 29"),
        (ITEM + "?10=B1", "AI 10 belongs in the path"),
        (ITEM + "/21/S1?10=B1", "AI 10 belongs in the path"),
        (ITEM + "?21=S1", "AI 21 belongs in the path"),
        (ITEM + "?22=2A", "AI 22 belongs in the path"),
        (ITEM + "?235=X", "AI 235 belongs in the path"),
        (ITEM + "/235/X?21=S1", "AI 21 is no attribute"),
        (ITEM + "/21/S1?21=S1", "given twice"),
        (ITEM + "?99=A&99=A", "given twice"),
        (ITEM + "?01=09506000134352", "given twice"),
        (ITEM + "?89=A", "AI 89 is no attribute"),
        (ITEM + "?999=A", "AI 999 is no attribute"),
        (ITEM + "?99=", "AI 99 is empty"),
        (ITEM + "?99=A+B", "character set 82"),
        (ITEM + "?90=" + "x" * 31, "AI 90 has 31"),
        (ITEM + "/21/S1?8030=" + "_" * 91, "AI 8030 has 91"),
        (ITEM + "/21/S1?8030=a.b", "character set 64"),
        (ASSET + "?10=B1", "AI 10 is no attribute of 8004"),
        (ASSET + "/21/S1", "qualifiers of 8004 are 7040"),
        (ASSET + "/7040/aaB_", "a digit and three"),
        (ASSET + "/7040/1aB", "a digit and three"),
        (ITEM + "?q=" + "x" * MOST_CHARACTERS, "at most 2000"),
    ],
)
def test_what_is_no_link_is_refused_for_its_fault(uri: str, fault: str) -> None:
    """Each for its own reason."""
    with pytest.raises(BadLink, match=fault):
        read_link(uri)


@given(st.text(max_size=200))
def test_any_text_is_a_link_or_refused(text: str) -> None:
    """Whatever a camera read: nothing else happens."""
    for uri in (text, "https://a/" + text, ITEM + "/21/" + text, ITEM + "?" + text):
        try:
            read_link(uri)
        except BadLink:
            continue


@given(st.text(alphabet=sorted(CSET_82), min_size=1, max_size=20))
def test_what_we_build_is_read_back(serial: str) -> None:
    """Every serial that AI 21 can carry, escaped where a URI demands it."""
    link = read_link(build_link("https://id.example.org/", DEMONSTRATION_GTIN, serial))
    assert link.serial == serial
    assert link.key == ("01", DEMONSTRATION_GTIN)


def test_the_link_that_is_printed() -> None:
    """The recommended form, to the letter."""
    made = build_link("https://v.example.org", gtin_of("952"), "AUC260218FKC5SKSEZ")
    assert made == "https://v.example.org/01/09521234543213/21/AUC260218FKC5SKSEZ"


@pytest.mark.parametrize(
    ("base_url", "gtin", "serial"),
    [
        ("https://v.example.org", DEMONSTRATION_GTIN, "AUC-20260218-DAYT0001"),
        ("https://v.example.org", DEMONSTRATION_GTIN, ""),
        ("https://v.example.org", DEMONSTRATION_GTIN, "A#B"),
        ("https://v.example.org", "09521234543214", "S1"),
        ("v.example.org", DEMONSTRATION_GTIN, "S1"),
    ],
)
def test_no_link_is_built_that_gs1_refuses(base_url: str, gtin: str, serial: str) -> None:
    """Too long or foreign a serial, a wrong check digit, no scheme."""
    with pytest.raises(BadLink):
        build_link(base_url, gtin, serial)


def test_a_prefixs_gtin() -> None:
    """GS1's own example for 952; for a house its prefix, zeros and a check digit."""
    assert gtin_of("952") == "09521234543213"
    assert gtin_of("4012345") == "04012345000009"
    assert gtin_of("9521234") == "09521234000006"
    assert gtin_of("95060001343") == "09506000134307"
    for prefix in ("952", "4012345", "95060001343", "952123"):
        read_link(f"https://id.example.org/01/{gtin_of(prefix)}/21/S1")


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "40",
        "401234567890",
        "40123a5",
        "٤٠١٢٣",
        " 4012345",
        "000",
        "0000000",
        "0212345",
        "0412345",
        "2012345",
    ],
)
def test_prefixes_that_nobody_may_print(prefix: str) -> None:
    """What is no prefix, and what GS1 keeps for use inside a company."""
    with pytest.raises(ValueError, match="prefix"):
        gtin_of(prefix)


def test_a_demonstration_is_told_apart() -> None:
    """Everything under 952 is an example."""
    assert is_demonstration("952")
    assert is_demonstration("9521234")
    assert not is_demonstration("4012345")


def test_a_linkset() -> None:
    """RFC 9264: one context, each relation a list of targets; GS1 wants a default link."""
    made = linkset("https://v/01/1/21/S", "https://v/verify/S", "https://v/p", "https://v/c")
    (context,) = made["linkset"]
    assert context.pop("anchor") == "https://v/01/1/21/S"
    assert {name.removeprefix(VOCABULARY): links[0]["href"] for name, links in context.items()} == {
        "defaultLink": "https://v/verify/S",
        "pip": "https://v/verify/S",
        "traceability": "https://v/p",
        "certificationInfo": "https://v/c",
    }
    assert all(set(link) >= {"href", "title"} for links in context.values() for link in links)


def test_the_resolver_describes_itself() -> None:
    """With what GS1's schema demands: its root, and the keys that it knows."""
    said = resolver_description("https://v.example.org/")
    assert said["resolverRoot"] == "https://v.example.org"
    assert said["supportedPrimaryKeys"] == ["01", "8004"]
    assert said["supportedLinkType"] == [{"namespace": VOCABULARY, "prefix": "gs1:"}]
