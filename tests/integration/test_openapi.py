"""The APIs' document and the page it is read at: true, whole, and served to everybody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest
from playwright.sync_api import expect, sync_playwright

from gateway.api.routes import DESCRIBED, OPERATOR_API
from gateway.core import bodies
from tests.browser.conftest import ARGS, CHROMIUM
from tests.integration.open_house import House

Json = dict[str, Any]
SETTINGS = {"HTTP_RATE": "0"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(scope="module")
def document(house: House) -> Json:
    """What ``/openapi.json`` answers to somebody without any key."""
    answer = house.web.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    found: Json = answer.json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def validator(document: Json, schema: Json) -> jsonschema_rs.Validator:
    """Of a schema that refers to others of the document."""
    whole = {"$schema": DIALECT, **schema, "components": document["components"]}
    return jsonschema_rs.validator_for(whole, validate_formats=True)


def test_the_document_has_every_call_and_no_other(document: Json) -> None:
    """Each row of the table is an operation with an id of its own."""
    found = {(method, re.sub(r"\{\w+\}", "{}", path)) for path, method, _ in operations(document)}
    rows = {(call.method, re.sub(r"\{\w+\}", "{}", call.path)) for call in DESCRIBED}
    assert found == rows
    ids = Counter(operation["operationId"] for _, _, operation in operations(document))
    assert set(ids.values()) == {1}


def test_every_call_says_what_it_does_and_answers(document: Json) -> None:
    """A summary, a tag that is described, and content wherever the status promises any."""
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for path, method, operation in operations(document):
        named = f"{method} {path}"
        assert operation["summary"].endswith("."), named
        assert tags[operation["tags"][0]], named
        for status, response in operation["responses"].items():
            if status in ("200", "201", "202"):
                assert "content" in response, f"{named} says nothing of its {status}"


def test_the_schemas_are_schemas(document: Json) -> None:
    """Each is valid JSON Schema, and refers to nothing that is not there."""
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema_rs.meta.validate({"$schema": DIALECT, **schema})
        for reference in re.findall(r"#/components/schemas/([^'\"]+)", str(schema)):
            assert reference in schemas, f"{name} refers to {reference}"


def test_the_examples_of_requests_are_taken(document: Json) -> None:
    """The server's own reading takes what the document shows."""
    rows = {call.operation_id: call for call in DESCRIBED}
    for path, method, operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            row = rows[operation["operationId"]]
            if media_type == "application/json":
                bodies.take(content["example"], row.body)
                assert validator(document, content["schema"]).is_valid(content["example"])
            else:
                form = media_type == "multipart/form-data"
                assert row.body_is_form if form else row.body_is_file, f"{method} {path}"


def test_the_examples_of_answers_are_answers(document: Json) -> None:
    """What is shown as an answer has the answer's schema."""
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                errors = validator(document, content["schema"]).iter_errors(content["example"])
                assert not [error.message for error in errors], f"{method} {path} {status}"


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_who_has_it_already_is_told_so(house: House, path: str) -> None:
    """A matching ETag, weak or strong or one of several, gets 304 and no body."""
    first = house.web.get(path)
    tag = first.headers["etag"]
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    for condition in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = house.web.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (304, b""), condition
        assert again.headers["etag"] == tag
    for condition in ('"x"', f'"x{tag[1:]}', ""):
        again = house.web.get(path, headers={"If-None-Match": condition})
        assert (again.status_code, again.content) == (200, first.content), condition


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/auctions", "GET, HEAD, POST"),
        ("/api/v1/auctions/x", "DELETE, GET, HEAD, PUT"),
        ("/api/v1/auth/guest", "POST"),
        ("/auction/x", "DELETE, GET, HEAD, PATCH"),
        ("/alpha/auction/x", "DELETE, GET, HEAD, PATCH"),
        ("/user", "GET, HEAD, POST"),
    ],
)
def test_a_method_that_a_path_does_not_take(house: House, path: str, methods: str) -> None:
    """405 names all the methods that would do, in the dialect of the path."""
    for method in ("TRACE", "OPTIONS", "QUERY", "PATCH" if "PATCH" not in methods else "PUT"):
        answer = house.web.request(method, path)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == methods
        assert {"x-request-id", "x-ratelimit-limit"} <= answer.headers.keys()
        said = answer.json()["error"]
        if path.startswith("/api/"):
            assert said == "Method Not Allowed"
        else:
            assert said["code"] == "method_not_allowed"


def test_a_path_that_leads_nowhere_is_told_to_programs_as_json(house: House) -> None:
    """404 in the dialect that the path begins with; people get a page."""
    for path in ("/api/v1/nothing", "/api/v2/auctions", "/api/v1/auctions/x/y/z"):
        answer = house.web.get(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"}), path
    for path in ("/auction/x/y", "/alpha/nothing", "/asset/x", "/user/x/y/z"):
        answer = house.web.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    assert "text/html" in house.web.get("/nothing").headers["content-type"]


class Elements(HTMLParser):
    """What the page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str | None] = []
        self.styled: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [name for name in [given.get("id")] if name]
        if tag == "script":
            self.scripts.append(given.get("src"))
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.styled.append(tag)


def test_the_page_tells_of_every_call_under_the_strict_policy(house: House, document: Json) -> None:
    """Every operation and schema has its anchor, every link within the page leads to one, and
    there is nothing on it that the policy forbids."""
    answer = house.web.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    page = Elements(answer.text)
    assert page.scripts == ["/static/docs.js"]
    assert not page.styled
    assert set(Counter(page.ids).values()) == {1}
    anchors = {operation["operationId"] for _, _, operation in operations(document)}
    anchors |= {f"schema-{name}" for name in document["components"]["schemas"]}
    assert anchors <= set(page.ids)
    within = {link[1:] for link in page.links if link.startswith("#")}
    assert within <= set(page.ids)
    for call in OPERATOR_API:
        assert f'"$HOUSE{call.path.partition("{")[0]}' in answer.text.replace("&#34;", '"')


def test_a_reader_finds_a_call(house: House) -> None:
    """Words typed leave the calls that have them all, and their chapters; the address keeps
    what was looked for; without JavaScript everything is there and no field pretends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.goto(f"{house.url}/docs")
        page.get_by_role("searchbox").fill("next pair of tokens")
        expect(page.locator("#found")).to_have_text("1 call found")
        expect(page.locator("article.call:visible")).to_have_attribute("id", "sessions.refresh")
        expect(page.locator("nav li:visible")).to_have_count(1)
        page.reload()
        expect(page.locator("article.call:visible")).to_have_count(1)
        page.get_by_role("searchbox").fill("")
        expect(page.locator("article.call:visible")).to_have_count(len(DESCRIBED))
        assert not faults
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto(f"{house.url}/docs")
        expect(plain.locator("article.call:visible")).to_have_count(len(DESCRIBED))
        expect(plain.get_by_role("searchbox")).to_have_count(0)
        browser.close()
