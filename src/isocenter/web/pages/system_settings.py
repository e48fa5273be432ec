"""The settings that a node runs with, and where each comes from; secrets as stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from isocenter.web.console.console import Console, Visit
from isocenter.web.pages.system_frame import SETTINGS, system_page


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting."""

    name: str
    value: str
    origin: str
    help: str

    @property
    def help_parts(self) -> list[tuple[str, bool]]:
        """Return the pieces of its help, and of each whether it stands for something that is written so."""
        return [(part, number % 2 == 1) for number, part in enumerate(self.help.split("`"))]

    @property
    def is_default(self) -> bool:
        """Tell whether nobody chose it."""
        return self.origin == "default"


def settings_routes(console: Console, rows: Sequence[SettingRow], *, file: str) -> list[BaseRoute]:
    """Return the route of the settings; `file` is the one that they were read from, empty where there is none."""

    def show(visit: Visit) -> Response:
        visit.principal.require_owner()
        only_chosen = visit.parameter("show") == "chosen"
        wanted = visit.parameter("name").strip()[:64].casefold()
        found = [one for one in rows if wanted in one.name.casefold() and not (only_chosen and one.is_default)]
        tables = dict.fromkeys(map(_table, rows))
        groups = [(table, [one for one in found if _table(one) == table]) for table in tables]
        values = {
            "groups": [(table, group) for table, group in groups if group],
            "file": file,
            "show": "chosen" if only_chosen else "",
            "name": wanted,
            "path": visit.prefix + SETTINGS,
        }
        return system_page(console, visit, "system_settings.html", values, tab="settings")

    return [console.get(SETTINGS, show, name="system-settings")]


def _table(row: SettingRow) -> str:
    return row.name.rpartition(".")[0]
