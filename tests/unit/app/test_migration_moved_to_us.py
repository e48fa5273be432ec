"""What a source that moves to us may send: what it was asked for, into the spool, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.fetching import FetchReport
from isocenter.app.instance_files import PartialFile, instance_path
from isocenter.app.migrating.moved_to_us import NOT_AUTHORIZED, SharedTaking
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.statuses import CANNOT_UNDERSTAND
from tests.support.small_instances import make_instance

IDENTIFIER = InstanceIdentifier("1.2.3", "1.2.3.4", "1.2.3.4.5")


@pytest.fixture
def taking(tmp_path: Path) -> SharedTaking:
    return SharedTaking(Scope(""), tmp_path, FetchReport(), lambda report: None)


def _come(taking: SharedTaking, content: bytes) -> int:
    partial = PartialFile(taking.folder)
    partial.write(content)
    partial.finish()
    try:
        return taking.keep(partial)
    finally:
        partial.discard()


def test_what_was_asked_for_lies_in_the_spool(taking: SharedTaking) -> None:
    content = make_instance(IDENTIFIER).content
    with taking.awaiting("1.2.3"), taking.awaiting("1.2.3"):
        pass
    with taking.awaiting("1.2.3"):
        assert _come(taking, content) == 0
    assert instance_path(taking.folder, IDENTIFIER).read_bytes() == content


def test_what_was_not_asked_for_is_refused_and_leaves_nothing(taking: SharedTaking) -> None:
    with taking.awaiting("1.2.9"):
        assert _come(taking, make_instance(IDENTIFIER).content) == NOT_AUTHORIZED
    with taking.awaiting("1.2.3"):
        pass
    assert _come(taking, make_instance(IDENTIFIER).content) == NOT_AUTHORIZED
    assert list(taking.folder.iterdir()) == []


def test_what_cannot_be_read_is_refused(taking: SharedTaking) -> None:
    with taking.awaiting("1.2.3"):
        assert _come(taking, b"nothing") == CANNOT_UNDERSTAND
