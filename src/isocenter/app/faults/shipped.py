"""The scenarios that ship with the program, and a scenario made ready to be played."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from isocenter.domain.errors import InvalidSetting
from isocenter.domain.nearest import did_you_mean
from isocenter.modality.faults.read import expand, read_scenario
from isocenter.modality.faults.scenario import Scenario

_PACKAGE, _FOLDER = "isocenter.modality.faults", "scenarios"
_SUFFIX = ".toml"
_CHECK_FOLDER = "folder"
_CHECK_PORT_FIRST = 50_000


def _folder() -> Traversable:
    return resources.files(_PACKAGE).joinpath(_FOLDER)


def shipped_names() -> list[str]:
    """Return the names of the scenarios that ship."""
    entries = _folder().iterdir()
    return sorted(entry.name.removesuffix(_SUFFIX) for entry in entries if entry.name.endswith(_SUFFIX))


def scenario_text(name: str) -> tuple[str, str]:
    """Return the text of a file, or of a scenario that ships, and its name for messages."""
    path = Path(name)
    if path.is_file():
        return path.read_text(encoding="utf-8"), str(path)
    if name in shipped_names():
        return _folder().joinpath(name + _SUFFIX).read_text(encoding="utf-8"), name + _SUFFIX
    names = shipped_names()
    hint = did_you_mean(name, names, "those that ship are " + ", ".join(names) + ".", cutoff=0.4)
    raise InvalidSetting(f"There is no file {name} and no scenario of that name; {hint}")


def check_scenario(name: str) -> Scenario:
    """Read a scenario without playing it; raise InvalidConfiguration with everything that is wrong."""
    text, file = scenario_text(name)
    ports: list[str] = []

    def port_of(port_name: str) -> int:
        ports.append(port_name)
        return _CHECK_PORT_FIRST + len(ports)

    return read_scenario(expand(text, folder=_CHECK_FOLDER, port_of=port_of), file=file)


def ready_scenario(name: str, folder: Path) -> Scenario:
    """Read a scenario with a folder and free ports of loopback filled in."""
    text, file = scenario_text(name)
    return read_scenario(expand(text, folder=str(folder), port_of=_free_port_maker()), file=file)


def _free_port_maker() -> Callable[[str], int]:
    given: set[int] = set()

    def free_port(_name: str) -> int:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in given:
                given.add(port)
                return port

    return free_port
