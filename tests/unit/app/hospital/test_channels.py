"""What the router of a hospital routes by, at the first start and after that."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.app.hospital.channels import write_channels
from isocenter.app.hospital.options import PortName
from isocenter.app.hospital.ports import LinkName
from isocenter.domain.errors import InvalidSetting
from isocenter.routing.configuration.read import read_configuration

PORTS = {name.value: 40_000 + number for number, name in enumerate([*PortName, *LinkName])}
TENANT, CLIENT = "5f0ea8ba-4c9a-4b7c-9a8e-0d0a8e2a4d11", "0c3b6f0e-58ab-4d2a-9c55-3fd1c8f0a7b2"


def _write(path: Path, ports: dict[str, int], before: dict[str, int]) -> str:
    write_channels(path, ports=ports, before=before, tenant_id=TENANT, client_id=CLIENT)
    return path.read_text()


def test_the_first_configuration_is_sound_and_leads_over_the_lines(tmp_path: Path) -> None:
    text = _write(tmp_path / "channels.toml", PORTS, {})
    read = read_configuration(text, file="channels.toml")
    assert read.warnings == ()
    assert [channel.name for channel in read.configuration.channels] == ["router"]
    assert f"ORTHANC@127.0.0.1:{PORTS[LinkName.PACS]}" in text
    assert f"http://127.0.0.1:{PORTS[LinkName.CLOUD]}/{TENANT}/oauth2/v2.0/token" in text
    assert str(PORTS[PortName.CLOUD]) not in text


def test_what_somebody_changed_stays_and_its_addresses_follow(tmp_path: Path) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(_write(path, PORTS, {}) + "\n# a note of mine\n")
    swapped = {**PORTS, LinkName.PACS.value: PORTS[LinkName.CLOUD], LinkName.CLOUD.value: PORTS[LinkName.PACS]}
    text = _write(path, swapped, PORTS)
    assert text.endswith("# a note of mine\n")
    assert f"ORTHANC@127.0.0.1:{swapped[LinkName.PACS]}" in text
    assert f"http://127.0.0.1:{swapped[LinkName.CLOUD]}/v2" in text
    assert f"QIEROUTER@127.0.0.1:{PORTS[PortName.QIEROUTER]}" in text


def test_a_configuration_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "channels.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSetting, match="remove it"):
        _write(tmp_path / "channels.toml", PORTS, {})
