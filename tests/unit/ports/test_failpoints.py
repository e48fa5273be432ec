from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest

from isocenter.domain.errors import InvalidRequest, StorageFull
from isocenter.ports.failpoints import (
    FAILPOINT_NAMES,
    FAILPOINTS_VARIABLE,
    Failpoints,
    failpoints_from_environment,
    parse_failpoints,
)


def test_nothing_happens_where_nothing_is_set() -> None:
    failpoints = failpoints_from_environment({})
    assert not failpoints.armed
    for name in FAILPOINT_NAMES:
        failpoints.hit(name)
        Failpoints().hit(name)


def test_a_failpoint_raises_at_every_hit_of_its_own_name() -> None:
    failpoints = failpoints_from_environment({FAILPOINTS_VARIABLE: "index.before_commit=raise:StorageFull"})
    failpoints.hit("index.after_commit")
    for _ in range(2):
        with pytest.raises(StorageFull):
            failpoints.hit("index.before_commit")


def test_a_failpoint_with_a_number_acts_at_that_hit_only() -> None:
    failpoints = parse_failpoints("packs.mid_write=raise:ENOSPC@2, index.before_begin=sleep:0@1")
    failpoints.hit("index.before_begin")
    failpoints.hit("packs.mid_write")
    with pytest.raises(OSError, match="space") as caught:
        failpoints.hit("packs.mid_write")
    assert caught.value.errno == errno.ENOSPC
    failpoints.hit("packs.mid_write")


def test_kill_ends_the_process_at_once() -> None:
    program = (
        "from isocenter.ports.failpoints import parse_failpoints\n"
        "parse_failpoints('packs.before_write=kill').hit('packs.before_write')"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "text",
    [
        "packs.before_writ=kill",
        "packs.before_write",
        "packs.before_write=explode",
        "packs.before_write=raise:NoSuchError",
        "packs.before_write=raise:Exception",
        "packs.before_write=sleep:long",
        "packs.before_write=sleep:999999",
        "packs.before_write=kill:now",
        "packs.before_write=kill@often",
    ],
)
def test_a_setting_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_failpoints(text)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest, match=r"did you mean 'packs\.before_write'"):
        parse_failpoints("packs.befor_write=kill")
