"""A Chromium for the tests of one module, and pages in it that are watched while a test runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from tests.support.peers import require

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ACTION_TIMEOUT_MS = 40_000
"""Drawing without a graphics card keeps the page busy; a click may have to wait for it."""

expect.set_options(timeout=ACTION_TIMEOUT_MS)

WITHIN_THE_BROWSER = frozenset({"blob", "chrome", "chrome-extension", "data"})
"""Schemes of requests that reach no host; the view of PDFs is an extension."""

_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", event =>
  console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class WatchedPage:
    """A page in a fresh profile, with what it asked for and what the browser complained about."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note hosts of requests, violations of the policy, and dialogs that a script opened."""
        self.page.on("request", self._note_request)
        self.page.on("console", self._note_message)
        self.page.on("dialog", self._note_dialog)
        self.page.add_init_script(_REPORT_VIOLATIONS)

    def check(self) -> None:
        """Fail if a foreign host was asked, the policy was violated, or a foreign script ran."""
        assert len(self.hosts) <= 1, f"asked more than its own host: {self.hosts}"
        assert self.violations == []
        assert self.dialogs == []

    def _note_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in WITHIN_THE_BROWSER:
            self.hosts.add(parts.netloc)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note_message(self, message: ConsoleMessage) -> None:
        if "policy violation" in message.text or "Content Security Policy" in message.text:
            self.violations.append(message.text)


OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; it ends with the module, because its event loop must not outlive it."""
    program = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lasting_page(chromium: Browser) -> Iterator[WatchedPage]:
    """Keep one page in one profile for many pictures: compiling the viewer anew for each takes most of the time."""
    context = chromium.new_context(viewport={"width": 800, "height": 600})
    context.set_default_timeout(ACTION_TIMEOUT_MS)
    watched = WatchedPage(context.new_page())
    watched.watch()
    yield watched
    context.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Open pages, each in a fresh profile; afterwards see that none reached out or broke the policy."""
    with ExitStack() as stack:

        def open_one(*, width: int = 1000, height: int = 700, color_scheme: Literal["light", "dark"] = "light") -> Page:
            context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=color_scheme)
            stack.callback(context.close)
            context.set_default_timeout(ACTION_TIMEOUT_MS)
            watched = WatchedPage(context.new_page())
            watched.watch()
            stack.callback(watched.check)
            return watched.page

        yield open_one
