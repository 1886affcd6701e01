"""The web pages in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.scatter import PALETTE
from tests.browser import Tab, chromium, tab
from tests.e2e.conftest import Client

PAGES = Path(__file__).parents[2] / "service" / "pages"
FIRST_VIEW_BYTES = 100_000


@pytest.fixture(scope="module")
def opened(client: Client) -> Iterator[Tab]:
    """A tab that the tests share."""
    with (
        chromium() as browser,
        tab(browser, str(client.http.base_url).rstrip("/")) as opened,
    ):
        yield opened


def test_the_first_view_is_light(opened: Tab) -> None:
    sizes: list[int] = []
    opened.page.on("response", lambda response: sizes.append(len(response.body())))
    opened.open("")
    opened.page.wait_for_selector("h1:text('Data sets')")
    assert 0 < sum(sizes) < FIRST_VIEW_BYTES


@pytest.mark.parametrize("place", ["#/datasets", "#/jobs", "#/nowhere"])
def test_everyone_can_use_it(opened: Tab, place: str) -> None:
    opened.open(place)
    opened.check()


def test_pages_run_nothing_but_themselves(client: Client) -> None:
    for path in ("/", "/docs", "/pages/app.js"):
        answer = client.http.get(path)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        unchanged = client.http.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert client.http.get("/pages/none.js").json()["code"] == "not_found"


def test_the_api_is_shown_without_another_host(opened: Tab) -> None:
    opened.page.goto(f"{opened.address}/docs")
    opened.page.wait_for_selector("text=Upload points, train, assign new ones, sample.")


def test_components_have_one_colour_everywhere() -> None:
    assert tuple(re.findall("#[0-9a-f]{6}", (PAGES / "palette.js").read_text())) == PALETTE
