"""A link to one study in a browser: given by somebody who signed in, opened by somebody who never will."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.conftest import ACTION_TIMEOUT_MS
from tests.support.console_studies import ROOT, make_instance
from tests.support.secure_node import SecureNode, serve_securely

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PASSWORD = "correct horse battery"
STUDY = f"{ROOT}.1"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureNode]:
    with serve_securely(tmp_path_factory.mktemp("link")) as started:
        started.operate("user", "add", "jane", "--role", "owner", "--password-file", "-", answer=PASSWORD + "\n")
        yield started


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[list[BrowserContext]]:
    """Two people at two machines."""
    both = [chromium.new_context(ignore_https_errors=True, viewport={"width": 390, "height": 844}) for _ in range(2)]
    for context in both:
        context.set_default_timeout(ACTION_TIMEOUT_MS)
    yield both
    for context in both:
        context.close()


def test_a_stranger_sees_the_study_of_a_link_until_it_is_withdrawn(
    node: SecureNode, contexts: list[BrowserContext]
) -> None:
    jane, stranger = (context.new_page() for context in contexts)
    jane.goto(f"{node.base_url}/upload")
    jane.get_by_label("Name").fill("jane")
    jane.get_by_label("Password").fill(PASSWORD)
    jane.get_by_role("button", name="Sign in").click()
    files = [{"name": f"{study}.dcm", "mimeType": "", "buffer": make_instance(study)} for study in (1, 2)]
    jane.get_by_label("DICOM or ZIP files").set_input_files(files)  # type: ignore[arg-type]  # as Playwright takes them
    jane.get_by_role("link", name="Study 1").click()
    jane.get_by_label("Lasts").select_option("1 hour")
    jane.get_by_role("button", name="Create link").click()
    link = jane.get_by_label("Link", exact=True).input_value()

    stranger.goto(f"{node.base_url}/light/{STUDY}")
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    stranger.goto(link)
    expect(stranger).to_have_url(f"{node.base_url}/light/{STUDY}")
    expect(stranger.get_by_text("Wide, Wanda").first).to_be_visible()
    stranger.goto(f"{node.base_url}/light/{ROOT}.2")
    expect(stranger.get_by_text("Wide, Wanda")).to_have_count(0)
    stranger.goto(node.base_url)
    expect(stranger.get_by_text("Wide, Wanda")).to_have_count(0)

    jane.get_by_role("link", name="Back to the study").click()
    jane.get_by_role("button", name="Withdraw").click()
    expect(jane.get_by_text("The link is withdrawn")).to_be_visible()
    stranger.goto(link)
    expect(stranger.get_by_text("expired or was withdrawn")).to_be_visible()
