"""The web pages of models in a real browser."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import Tab
from tests.e2e.conftest import SHORT, Client
from tests.points import digits, three_blobs
from tests.service.api import picture

FAIR = {**SHORT, "iterations": 1}
IMAGES = digits()[0][:60] * 15
HASTY = {"iterations": 1, "pretraining_epochs": 10, "epochs": 5, "estimator_epochs": 20}


@pytest.fixture(scope="module")
def trained(client: Client) -> list[str]:
    """Models of three and of two components over one table, and one of images."""
    table = "x,y\n" + "".join(f"{x},{y}\n" for x, y in three_blobs()[0])
    dataset = client.http.post("/datasets?name=blobs", content=table).json()["id"]
    images = client.upload(IMAGES)["id"]
    jobs = [
        client.submit(dataset, 3, name="three", config=FAIR)["id"],
        client.submit(dataset, 2, name="two", config=HASTY)["id"],
        client.submit(images, 2, name="pictures", config=HASTY)["id"],
    ]
    return [client.wait(job)["model"] for job in jobs]


def test_a_model_shows_its_components(opened: Tab, trained: list[str]) -> None:
    page = opened.page
    opened.open("#/models")
    opened.check()
    page.get_by_role("link", name="three", exact=True).click()
    tile = page.get_by_role("region", name="Component 0", exact=True)
    expect(tile).to_contain_text("100 points")
    expect(tile.get_by_role("region", name="Typical members of component 0")).to_be_visible()
    expect(tile.get_by_role("img", name=re.compile("^median"))).to_have_count(2)
    for title in ("Points on the border", "Outliers"):
        table = page.get_by_role("region", name=title, exact=True)
        expect(table.get_by_role("row")).to_have_count(13)
    expect(page.get_by_role("region", name="Mean posterior")).to_be_visible()
    expect(page.get_by_alt_text("1000 points that the mixture makes")).to_be_visible()
    opened.check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the assignments").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].replace('"', "") == "row,component,confidence,outlier_score"
    assert len(lines) == 301


def test_aliases_move_and_dependents_are_named(opened: Tab, trained: list[str]) -> None:
    page = opened.page
    for model in trained[:2]:
        opened.open(f"#/models/{model}")
        page.get_by_role("button", name="Add an alias").click()
        page.get_by_label("Name").fill("best")
        opened.check()
        page.get_by_role("button", name="Point it at this model").click()
        expect(page.get_by_role("button", name="Drop the alias best")).to_be_visible()
    page.get_by_role("link", name="Models", exact=True).click()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="two", exact=True))
    expect(row).to_contain_text("best")
    row.get_by_role("button", name="Delete two").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("is what 'best' stands for")
    dialog.get_by_role("button", name="Keep").click()
    row.get_by_role("link", name="two").click()
    page.get_by_role("button", name="Drop the alias best").click()
    expect(page.get_by_role("button", name="Drop the alias best")).to_have_count(0)


def test_pasted_rows_are_assigned_and_others_drawn(
    opened: Tab, trained: list[str], tmp_path: Path
) -> None:
    page = opened.page
    opened.open(f"#/try/{trained[0]}")
    page.get_by_label("Points").first.fill("x,y\n0,'zero'")
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("alert")).to_contain_text("line 2, column 'y'")
    page.get_by_label("Points").first.fill("x,y\n0,0\n8,8\n-8,8")
    page.get_by_role("button", name="Assign").click()
    found = page.get_by_role("region", name="Assigned points")
    expect(found.get_by_role("row")).to_have_count(4)
    shell, python = (
        page.get_by_role("region", name=name, exact=True).inner_text()
        for name in ("Assign with curl", "Assign with Python")
    )
    answer = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True)
    assert (tmp_path / "assigned.csv").read_text() == answer.stdout
    shown = [row.inner_text().split()[1] for row in found.locator("tbody tr").all()]
    assert [line.split(",")[0] for line in answer.stdout.splitlines()[1:]] == shown

    page.get_by_label("From").select_option("component 2")
    page.get_by_role("button", name="Sample", exact=True).click()
    expect(page.get_by_alt_text("500 points that were drawn")).to_be_visible()
    expect(page.get_by_role("region", name="The first samples").locator(".chip")).to_have_text(
        ["2"] * 12
    )
    opened.check()


def test_dropped_images_are_assigned(opened: Tab, trained: list[str]) -> None:
    page = opened.page
    opened.open(f"#/try/{trained[2]}")
    files = [
        {"name": f"{at}.png", "mimeType": "image/png", "buffer": picture(IMAGES[at])}
        for at in range(2)
    ]
    page.locator("#assign-file").set_input_files(files)  # type: ignore[arg-type]
    expect(page.get_by_role("region", name="Assigned points")).to_contain_text("1.png")
    page.get_by_role("link", name="What the components of pictures are like").click()
    expect(page.get_by_role("img", name=re.compile("^typical member"))).to_have_count(16)
    opened.check()


def test_two_models_are_compared(opened: Tab, trained: list[str]) -> None:
    page = opened.page
    opened.open("#/compare")
    page.get_by_label("First model").select_option(trained[0])
    page.get_by_label("Second model").select_option(trained[1])
    page.get_by_role("button", name="Compare").click()
    cells = page.get_by_role("region", name="Training points that").locator("td.shade")
    expect(cells).to_have_count(6)
    assert sum(int(cell or 0) for cell in cells.all_inner_texts()) == 300
    expect(page.get_by_role("region", name="Side by side")).to_contain_text("Metric changed")
    opened.check()
    opened.open(f"#/compare?left={trained[0]}&right={trained[2]}")
    expect(page.get_by_role("alert")).to_contain_text("trained on another data set")
