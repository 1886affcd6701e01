"""The web pages in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from service import keys, leases
from service.scatter import PALETTE
from tests.browser import PHONE, Tab, tab
from tests.e2e.conftest import ENDLESS, Client
from tests.points import digits, npy, three_blobs
from tests.service import rows
from tests.service.api import api_server

PAGES = Path(__file__).parents[2] / "service" / "pages"
FIRST_VIEW_BYTES = 100_000
DROP = """([name, text]) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name));
    const drop = new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true });
    document.querySelector(".drop").dispatchEvent(drop);
}"""


def test_the_first_view_is_light(opened: Tab) -> None:
    opened.open("")
    expect(opened.page).to_have_title("Data sets · kVAE")
    sizes = opened.page.evaluate(
        "performance.getEntriesByType('resource').map(({ encodedBodySize }) => encodedBodySize)"
    )
    assert len(sizes) > 5
    assert sum(sizes) < FIRST_VIEW_BYTES


def test_from_a_dropped_file_to_its_components(opened: Tab) -> None:
    page = opened.page
    opened.open("#/datasets")
    points = three_blobs()[0]
    table = "kind,x,y\n" + "".join(f"{'abc'[i % 3]},{x},{y}\n" for i, (x, y) in enumerate(points))
    page.evaluate(DROP, ["<b>points.csv</b>", table])
    expect(page.get_by_role("alert")).to_contain_text("line 2, column 'kind': 'a' is not a number")
    opened.check()
    page.get_by_label("Columns").fill("x\ny")
    page.get_by_role("button", name="Upload with these choices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("<b>points.csv</b>")
    expect(page.get_by_role("region", name="Columns")).to_contain_text("number")
    opened.check()

    page.get_by_label("Components", exact=True).fill("3")
    page.get_by_text("More options").click()
    page.get_by_label("Iterations").fill("3")
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_text("succeeded", exact=True)).to_be_visible()
    expect(page.locator(".samples img")).to_have_attribute("alt", re.compile("iteration 3"))
    expect(page.get_by_role("img", name="Mixture weights")).to_have_accessible_name(
        re.compile(r"component 0 33.3%, component 1 33.3%, component 2 33.3%")
    )
    expect(page.get_by_role("link", name="See the model")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download the assignments").click()
    assert Path(saved.value.path()).read_text().startswith('"row","component","confidence"')
    page.get_by_text("The iterations as a table").click()
    expect(page.get_by_role("region", name="Iterations").get_by_role("row")).to_have_count(4)
    opened.check()
    slider = page.get_by_label("After iteration")
    slider.press("Home")
    expect(page.locator(".samples img")).to_have_attribute("alt", re.compile("iteration 1"))


def test_a_job_is_cancelled_and_resumed(opened: Tab, client: Client) -> None:
    page = opened.page
    dataset = client.http.post("/datasets?name=digits", content=npy(digits()[0][:99])).json()
    job = client.submit(dataset["id"], 3, config=ENDLESS)
    opened.open(f"#/jobs/{job['id']}")
    samples = page.locator(".samples img")
    expect(samples).to_be_visible()
    expect(samples).not_to_have_attribute("alt", samples.get_attribute("alt") or "")
    opened.check()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_text("Log", exact=True).click()
    expect(page.get_by_role("list", name="Log")).to_contain_text("resumed; goes on after iteration")
    page.get_by_role("link", name="digits").click()
    expect(page.get_by_alt_text("The first 60 images of digits")).to_be_visible()
    opened.check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text(f"is needed by '{job['id']}'")
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("link", name="digits").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_title("Jobs · kVAE")


@pytest.mark.parametrize("place", ["#/datasets", "#/jobs", "#/nowhere", "#/jobs/job_none"])
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
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_selector("html.dark-mode")
    opened.page.emulate_media(color_scheme="light")
    opened.page.wait_for_selector("html:not(.dark-mode)")


def test_with_a_key_a_failed_job_is_seen(browser: Browser, tmp_path: Path) -> None:
    with api_server(tmp_path) as (address, database), tab(browser, address, PHONE) as opened:
        with database.write() as session:
            job = rows.job(session).id
            _, token = keys.create(session, "me", "admin")
        with database.write() as session:
            claim = leases.claim(session, job, 60)
        assert claim
        with database.write() as session:
            leases.finish(session, claim, "failed", leases.worker_lost("the worker was lost"))
        page = opened.page
        opened.open(f"#/jobs/{job}")
        opened.check()
        page.get_by_label("Key").fill("kvae_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("does not know this key")
        page.get_by_label("Key").fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("the worker was lost")
        opened.check()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Key")).to_be_focused()


def test_components_have_one_colour_everywhere() -> None:
    assert tuple(re.findall("#[0-9a-f]{6}", (PAGES / "palette.js").read_text())) == PALETTE
