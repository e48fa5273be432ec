"""A Chromium for figures as people meet them: from the address to the picture, everything the browser does included."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
TIMEOUT_MS = 60_000
"""Longer than anything here may take; what takes longer has failed."""


def has_browser() -> bool:
    """Tell whether there is one."""
    return shutil.which("chromium") is not None


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser for the length of a block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def fresh_profile(browser: Browser, *, width: int = 1440, height: int = 900) -> Iterator[BrowserContext]:
    """Give a profile that has seen nothing."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(TIMEOUT_MS)
    try:
        yield context
    finally:
        context.close()


def wait_for_number(page: Page, expression: str) -> float:
    """Return what an expression of a page gives as soon as it gives anything but null or false.

    The page itself looks: its policy forbids the evaluation of text that waiting from outside needs.
    """
    found = page.evaluate(
        f"""async timeout => {{
          const end = performance.now() + timeout;
          while (performance.now() < end) {{
            const found = {expression};
            if (found) return Number(found);
            await new Promise(resolve => setTimeout(resolve, 20));
          }}
          return null;
        }}""",
        TIMEOUT_MS,
    )
    if found is None:
        raise RuntimeError(f"the page did not get as far as it should: {expression}")
    return float(found)
