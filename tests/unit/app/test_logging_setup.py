from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from isocenter.app.logging_setup import VALUE_LENGTH_MAX, escape_control_characters, set_up_logging

HOSTILE = "CT_1\r\n2026 [error] forged\x1b[2J\u202e\x00"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_are_one_object_each_whatever_the_values(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    structlog.get_logger().info("association.refused", calling_ae_title=HOSTILE, attempt=3)
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["attempt"]) == ("association.refused", "info", 3)
    assert event["calling_ae_title"] == HOSTILE
    assert line.isprintable()


def test_console_lines_cannot_be_forged_nor_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "console")
    structlog.get_logger().warning("association.refused", calling_ae_title=HOSTILE)
    (line,) = capsys.readouterr().err.splitlines()
    assert "association.refused" in line
    assert line.isprintable()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_local_variables_and_no_raw_control_characters(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("info", "json" if form == "json" else "console")
    patient_name = "ZZCANARY^" + "PHI"
    try:
        raise ValueError("\x1b[2J" + str(len(patient_name)))
    except ValueError:
        structlog.get_logger().exception("job.broken")
    err = capsys.readouterr().err
    assert "ValueError" in err
    assert "ZZCANARY^PHI" not in err
    assert "\x1b" not in err


def test_events_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("warning", "json")
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_libraries_log_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json")
    logging.getLogger("some.library").warning("half %s", "full")
    logging.getLogger("some.library").info("not worth a line")
    (line,) = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert (event["event"], event["logger"], event["message"]) == ("library.log", "some.library", "half full")


def test_long_values_are_cut() -> None:
    assert len(escape_control_characters("x" * 10 * VALUE_LENGTH_MAX)) == VALUE_LENGTH_MAX + 1
