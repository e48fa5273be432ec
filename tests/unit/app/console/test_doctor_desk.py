"""The doctor's desk of a running node."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette

from isocenter.app.console.doctor_desk import DoctorDesk
from isocenter.app.doctor import Check, ok
from isocenter.app.settings import Settings, load_settings
from isocenter.domain.principal import LOCAL_OWNER
from isocenter.web.console.console import Console
from isocenter.web.console.section import SYSTEM
from isocenter.web.pages.system_doctor import doctor_routes
from tests.support.asgi_client import AsgiClient

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _settings(folder: Path) -> Settings:
    return load_settings({"data_dir": str(folder)}, {}, None)


def _examine(desk: DoctorDesk) -> None:
    assert desk.begin()
    for thread in [one for one in threading.enumerate() if one.name == "doctor"]:
        thread.join()


def _page(desk: DoctorDesk) -> str:
    console = Console(authenticate=lambda headers: LOCAL_OWNER, login_path=None, sections=(SYSTEM,))
    return AsgiClient(Starlette(routes=doctor_routes(console, desk))).get("/system/doctor").text


def test_an_examination_that_breaks_off_is_told_and_the_next_one_is_whole(tmp_path: Path) -> None:
    checks: list[Check] = []

    def listed() -> Sequence[Check]:
        if not checks:
            raise RuntimeError
        return checks

    desk = DoctorDesk(_settings(tmp_path), now=lambda: START, checks=listed)
    _examine(desk)
    page = _page(desk)
    assert "The examination broke off" in page
    assert "the node&#39;s log tells why" in page
    assert "All is well" not in page
    checks.append(Check("one", lambda settings: ok("fine")))
    _examine(desk)
    page = _page(desk)
    assert "All is well" in page
    assert "broke off" not in page


def test_without_findings_nothing_is_called_well(tmp_path: Path) -> None:
    desk = DoctorDesk(_settings(tmp_path), now=lambda: START, checks=tuple)
    _examine(desk)
    assert "All is well" not in _page(desk)
