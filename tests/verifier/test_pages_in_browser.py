"""The verifier's pages in a real browser: with and without JavaScript, narrow and wide.

The application is the real one, and so is the worker that compares photographs; the gateway is
played (``front``).  Whatever a page's policy refuses, and every error of a module, fails the test.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from gateway import pages
from tests.browser import looks
from tests.browser.conftest import browser
from tests.verifier.front import DESK_KEY, Front, register
from tests.verifier.registry import desk
from tests.verifier.registry.conftest import NOW
from verifier.registry.objects import Object

__all__ = ["browser"]  # a fixture

WIDTHS = (320, 360, 390, 480, 768, 960, 1024, 1280, 1440)
VASE = pages.STATIC / "lots" / "mallet-wide.jpg"
LARGEST = 30_000  # bytes of a page without its photographs


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    house = Front(tmp_path_factory.mktemp("house"))
    with house.serving():
        yield house


@pytest.fixture(scope="module")
def vase(front: Front) -> Object:
    """An object with real photographs."""
    return register(front)


def _visitor(browser: Browser, **more: Any) -> tuple[BrowserContext, Page, list[str]]:
    """A browser of its own, its page, and what went wrong there."""
    settings = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce", **more}
    context = browser.new_context(**settings)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if _is_fault(line.text) else None)
    return context, page, faults


def _is_fault(text: str) -> bool:
    # What a test asks for in vain: the desk without a key, and a photograph that is none.
    asked_for = ("status of 415", "status of 401", "Password forms")
    return not any(words in text for words in asked_for)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context, found, faults = _visitor(browser)
    yield found
    context.close()
    assert not faults


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A visitor without JavaScript."""
    context, found, faults = _visitor(browser, java_script_enabled=False)
    yield found
    context.close()
    assert not faults


def _sign_in(page: Page, front: Front) -> None:
    page.goto(f"{front.url}/admin/objects")
    page.get_by_label("Operator key").fill(DESK_KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Objects")
    expect(page.get_by_role("table")).to_be_visible()


def test_a_telephone_gets_the_verdict_without_waiting(
    page: Page, front: Front, vase: Object
) -> None:
    """All of the page but its photographs in 30 kB; the verdict is on the first screen."""
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.goto(f"{front.url}/verify/{vase.row.serial}", wait_until="networkidle")
    assert sum(size for url, size in sizes.items() if not url.endswith(".jpg")) < LARGEST
    head = page.get_by_role("heading", level=1)
    expect(head).to_have_text("Matches our record")
    expect(head).to_be_in_viewport()
    picture = page.get_by_alt_text("overall")
    expect(picture).to_be_in_viewport()
    assert picture.evaluate("picture => picture.naturalWidth") > 0
    page.get_by_text("What the verdict rests on").click()
    expect(page.get_by_text("Signature, chain and log are intact")).to_be_visible()


def test_nothing_runs_over_the_edge(page: Page, front: Front, vase: Object) -> None:
    """From 320 to 1440 pixels, every page; and what is pressed is large enough."""
    _sign_in(page, front)
    serial = vase.row.serial
    for path in (f"/verify/{serial}", "/verify", "/admin/objects", f"/admin/objects/{serial}"):
        page.goto(front.url + path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} at {width}"
        for target in page.locator("button, input:not([type=hidden]), select, .btn").all():
            box = target.bounding_box()
            assert box is not None
            assert box["height"] >= 44, f"{path}: {target}"


def test_a_photograph_is_compared_where_it_is_taken(page: Page, front: Front, vase: Object) -> None:
    """Made small first, then sent, and the answer is read from its beginning."""
    page.goto(f"{front.url}/verify/{vase.row.serial}")
    page.get_by_label("Photograph", exact=True).set_input_files(VASE)
    page.get_by_role("button", name="Compare").click()
    head = page.get_by_role("heading", level=1)
    expect(head).to_have_text("Likely the same object")
    expect(head).to_be_focused()
    assert b"photograph.jpg" in front.photograph
    expect(page.get_by_text("points agree with the house's photograph (overall)")).to_be_visible()
    # And once more: the form that came with the answer works as the first one did.
    page.get_by_label("Photograph", exact=True).set_input_files(
        {"name": "a.txt", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("status")).to_contain_text("Not compared. ")
    expect(head).to_have_text("Likely the same object")


def test_a_turned_photograph_is_sent_upright(
    page: Page, front: Front, vase: Object, tmp_path: Path
) -> None:
    """A telephone held sideways writes how in the file; what is sent needs no such note."""
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    Image.new("RGB", (3000, 1000), "teal").save(turned, exif=exif)
    page.goto(f"{front.url}/verify/{vase.row.serial}")
    page.get_by_label("Photograph", exact=True).set_input_files(turned)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not confirmed by this photograph")
    body = front.photograph
    sent = Image.open(io.BytesIO(body[body.index(b"\xff\xd8\xff") :]))
    assert (sent.size, dict(sent.getexif())) == ((533, 1600), {})


def test_all_of_it_works_without_javascript(plain: Page, front: Front, vase: Object) -> None:
    """The verdict, the photograph, a code that is typed in, and the desk with a new photograph."""
    plain.goto(f"{front.url}/verify")
    plain.get_by_label("Code on the label").fill(vase.row.serial.lower())
    plain.get_by_role("button", name="Check").click()
    head = plain.get_by_role("heading", level=1)
    expect(head).to_have_text("Matches our record")
    plain.get_by_label("Photograph", exact=True).set_input_files(VASE)
    plain.get_by_role("button", name="Compare").click()
    expect(head).to_have_text("Likely the same object")

    found = desk.register(front.store, NOW + 1000, "collectible")
    _sign_in(plain, front)
    plain.get_by_label("Category").select_option("collectible")
    plain.get_by_role("button", name="Show").click()
    plain.get_by_role("link", name="A chronograph").click()
    expect(plain.get_by_text("Missing: front, back.")).to_be_visible()
    plain.get_by_label("Photograph", exact=True).set_input_files(VASE)
    front.origins.clear()
    plain.get_by_role("button", name="Add photograph").click()
    expect(plain.get_by_text("Missing: back.")).to_be_visible()
    assert plain.url == f"{front.url}/admin/objects/{found.row.serial}#photographs"
    # The gateway takes the cookie's key only from the house's own pages: they must say so.
    assert front.origins == [front.url]
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_label("Operator key")).to_be_visible()


def test_a_wrong_key_is_told(page: Page, front: Front) -> None:
    """In words, beside the field."""
    page.goto(f"{front.url}/admin/objects")
    page.get_by_label("Operator key").fill("optr_live_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key does not open the objects")
    expect(page.get_by_label("Operator key")).to_have_attribute("aria-invalid", "true")


# Without photographs, and without the fonts: they have a budget of their own, and a browser
# that is in a hurry writes without them.
_SENT = """() => ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
  .filter((entry) => !/[.](jpg|woff2)$/.test(entry.name))
  .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_public_pages_keep_the_rules(
    browser: Browser, front: Front, vase: Object, theme: str, language: str
) -> None:
    """WCAG 2.2 in both themes and languages; the longer language stays within its edges, too,
    and a telephone has it in 30 kB."""
    for path in (f"/verify/{vase.row.serial}", "/verify", "/verify/nobody"):
        context, page, faults = _visitor(browser, color_scheme=theme, locale=language)
        page.goto(front.url + path, wait_until="networkidle")
        assert 0 < page.evaluate(_SENT) < LARGEST, path
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        looks.keeps_the_rules(page)
        looks.stays_within_its_edges(page)
        context.close()
        assert [fault for fault in faults if "404" not in fault] == []


def test_a_photograph_is_compared_in_german(browser: Browser, front: Front, vase: Object) -> None:
    """What is said meanwhile and what comes of it."""
    context, page, faults = _visitor(browser, locale="de-DE")
    page.goto(f"{front.url}/verify/{vase.row.serial}")
    page.get_by_label("Foto", exact=True).set_input_files(VASE)
    page.get_by_role("button", name="Vergleichen").click()
    head = page.get_by_role("heading", level=1)
    expect(head).to_have_text("Wahrscheinlich dasselbe Objekt")
    expect(page.get_by_text("mit dem Foto des Hauses (Gesamtansicht) überein")).to_be_visible()
    page.get_by_label("Foto", exact=True).set_input_files(
        {"name": "a.txt", "mimeType": "image/png", "buffer": b"no picture"}
    )
    page.get_by_role("button", name="Vergleichen").click()
    expect(page.get_by_role("status")).to_contain_text("Nicht verglichen. ")
    context.close()
    assert not faults
