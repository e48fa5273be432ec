"""The generated pages of the reference are those that the code would write now."""

from __future__ import annotations

import pytest

from isocenter.app.reference import pages
from tests.support.shared_data import REPOSITORY

PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_is_what_the_code_would_write(name: str) -> None:
    written = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "run: python scripts/write_reference.py"
