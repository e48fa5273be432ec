"""What of channels lies in the data folder: orders, versions, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.channels.control import Control, Order, Running
from isocenter.app.channels.history import ConfigurationHistory
from isocenter.app.channels.refusals import FILE_SIZE_MAX_BYTES, KEPT_MAX, Refusals
from isocenter.domain.errors import Broken, NotFound, StorageFailed
from isocenter.web.api.router_desk import Refusal

ORDER = Order(Running.PAUSED, "jane", 5.0, "for the night")


def test_what_was_ordered_last_holds_before_what_is_configured(tmp_path: Path) -> None:
    control = Control(tmp_path)
    assert control.running("ct", is_started=True) is Running.STARTED
    assert control.running("ct", is_started=False) is Running.STOPPED
    control.give("ct", ORDER)
    assert control.running("ct", is_started=True) is Running.PAUSED
    assert Control(tmp_path).order("ct") == ORDER


def test_orders_of_channels_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.give("ct", ORDER)
    control.give("mr", ORDER)
    control.forget_others(["mr", "us"])
    assert (Control(tmp_path).order("ct"), Control(tmp_path).order("mr")) == (None, ORDER)


def test_orders_that_cannot_be_read_leave_it_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_bytes(b'{"ct": {"running": "flying"}}')
    assert Control(tmp_path).order("ct") is None


def test_an_order_that_cannot_be_kept_is_not_given(tmp_path: Path) -> None:
    control = Control(tmp_path / "there")
    (tmp_path / "there").write_text("a file in the place of the folder")
    with pytest.raises(StorageFailed):
        control.give("ct", ORDER)
    assert control.order("ct") is None


def test_versions_are_numbered_and_kept_as_they_were_written(tmp_path: Path) -> None:
    history = ConfigurationHistory(tmp_path)
    assert history.latest() is None
    first = history.append("# one\n", author="jane", at=1.0, reason="new")
    second = history.append("# two ü\n", author="joe", at=2.0, reason="")
    assert ConfigurationHistory(tmp_path).numbers() == [1, 2]
    assert (history.version(1), history.latest()) == (first, second)


def test_a_version_that_is_not_there_or_is_damaged_is_told_so(tmp_path: Path) -> None:
    history = ConfigurationHistory(tmp_path)
    with pytest.raises(NotFound):
        history.version(7)
    history.append("", author="", at=0.0, reason="")
    (tmp_path / "versions" / "000001.json").write_bytes(b'{"text": 1}')
    with pytest.raises(Broken):
        history.version(1)


def _refusal(number: int, channel: str = "ct") -> Refusal:
    return Refusal(float(number), channel, "CT1@10.0.0.1", "1.2.3", "1.2", "C000", "It is no instance. " * 40)


def test_the_last_refusals_outlive_the_process_and_a_line_that_was_cut_off(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)
    refusals.note(_refusal(1))
    refusals.note(_refusal(2, "mr"))
    with (tmp_path / "refusals.jsonl").open("ab") as file:
        file.write(b'{"at": 3')
    again = Refusals(tmp_path)
    assert again.of_channel("ct") == [_refusal(1)]
    assert (refusals.counts, again.counts) == ({"ct": 1, "mr": 1}, {})


def test_refusals_take_bounded_room(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)
    for number in range(2 * KEPT_MAX):
        refusals.note(_refusal(number))
    kept = refusals.of_channel("ct")
    assert (len(kept), kept[0].at) == (KEPT_MAX, 2 * KEPT_MAX - 1)
    assert (tmp_path / "refusals.jsonl").stat().st_size <= 2 * FILE_SIZE_MAX_BYTES
    assert Refusals(tmp_path).of_channel("ct")[0] == kept[0]
