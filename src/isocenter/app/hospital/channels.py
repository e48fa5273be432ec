"""What the router of a hospital routes by: written at the first start, and left to its operator from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from isocenter.app.hospital.ports import HOST
from isocenter.domain.errors import InvalidSetting

AUDIENCE = "https://dicom.healthcareapis.azure.com"
SCOPE = f"{AUDIENCE}/.default"
_ADDRESS = re.compile(rf"(?<={re.escape(HOST)}:)[0-9]{{1,5}}\b", re.ASCII)


def write_channels(
    path: Path, *, ports: Mapping[str, int], before: Mapping[str, int], tenant_id: str, client_id: str
) -> None:
    """Write the configuration where there is none; else only let its addresses follow ports that have moved."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path} cannot be read; remove it, and the next start makes another one.") from error
    wanted = _first_text(ports, tenant_id, client_id) if text is None else _moved(text, ports, before)
    if wanted != text:
        path.write_text(wanted, encoding="utf-8")


def _first_text(ports: Mapping[str, int], tenant_id: str, client_id: str) -> str:
    template = Template(resources.files("isocenter.app.hospital").joinpath("channels.toml").read_text("utf-8"))
    names = {name.replace("-", "_"): str(port) for name, port in ports.items()}
    return template.substitute(names, tenant=tenant_id, client=client_id, audience=AUDIENCE)


def _moved(text: str, ports: Mapping[str, int], before: Mapping[str, int]) -> str:
    moves = {str(before[name]): str(port) for name, port in ports.items() if before.get(name, port) != port}
    return _ADDRESS.sub(lambda found: moves.get(found[0], found[0]), text)
