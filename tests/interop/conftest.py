"""A node and a few generated instances for the tests with other people's programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.processes import Node, serve


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Return a running node, shared by the tests of a module."""
    with serve(tmp_path_factory.mktemp("node") / "data") as started:
        yield started
