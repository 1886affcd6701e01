"""A real Chromium for the tests of the web pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.servers import START_SECONDS

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-background-networking"]
PHONE, DESK = (390, 844), (1280, 900)


@dataclass
class Tab:
    """A page of the service in the browser, and what is to be wrong with none."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, place: str) -> None:
        """Go to a place such as "#/jobs", and wait for its heading."""
        self.page.goto("about:blank")  # or the heading might be that of the page before
        self.page.goto(f"{self.address}/{place}")
        self.page.wait_for_selector("h1")

    def note_console(self, message: ConsoleMessage) -> None:
        is_answer = message.text.startswith("Failed to load resource")  # shown in the page
        if message.type in ("error", "warning") and not is_answer:
            self.errors.append(message.text)

    def note_request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "blob:", "data:")):
            self.foreign.append(request.url)

    def check(self) -> None:
        """Fail where something can't be used by everyone, in the light or in the dark."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(self.page)
            assert found.violations_count == 0, f"{scheme}: {found.generate_report()}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that KVAE_CHROMIUM or PATH names, else Debian's. Skips where there is none."""
    path = os.environ.get("KVAE_CHROMIUM") or shutil.which("chromium") or CHROMIUM
    if not os.access(path, os.X_OK):
        pytest.skip("no Chromium: install it, or name one by KVAE_CHROMIUM")
    expect.set_options(timeout=1000 * START_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def tab(browser: Browser, address: str, size: tuple[int, int] = DESK) -> Iterator[Tab]:
    """A new tab with a store of its own; fails at the end where a page complained in the console
    or asked another host."""
    width, height = size
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        context.set_default_timeout(1000 * START_SECONDS)
        opened = Tab(context.new_page(), address)
        opened.page.on("console", opened.note_console)
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", opened.note_request)
        yield opened
    assert opened.errors == []
    assert opened.foreign == []
