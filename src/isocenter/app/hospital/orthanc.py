"""Orthanc as the PACS, where it is installed: how it is set up and started."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.app.hospital.options import PortName
from isocenter.app.hospital.ports import HOST, LinkName
from isocenter.app.hospital.reach import OWNER_ONLY, Person
from isocenter.domain.errors import InvalidSetting
from isocenter.modality.faults.scenario import ProcessPlan

PROGRAM = "Orthanc"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
"""Where Debian and Ubuntu put it; without it there is no DICOMweb, and nothing else misses it."""
AE_TITLE = "ORTHANC"
_ABSENT = (
    "Orthanc is not installed. `sudo apt-get install orthanc orthanc-dicomweb && sudo systemctl disable --now orthanc` "
    "installs it; without --pacs orthanc the demo uses its own PACS."
)


def orthanc_plan(name: str, data_dir: Path, *, ports: Mapping[str, int], person: Person) -> ProcessPlan:
    """Return how Orthanc is started on a data folder; raises InvalidSetting where it is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise InvalidSetting(_ABSENT)
    path = data_dir / "orthanc.json"
    _write(path, orthanc_settings(data_dir, ports=ports, person=person))
    # Its page asks for name and password, so its readiness is told by whoever has them.
    ready = f"http://{person.name}:{person.password}@{HOST}:{ports[PortName.PACS_WEB]}/system"
    return ProcessPlan(name=name, command=(program, str(path)), ready=ready)


def orthanc_settings(data_dir: Path, *, ports: Mapping[str, int], person: Person) -> dict[str, Any]:
    """Return its settings. It cannot bind to loopback alone, so it turns away who comes from elsewhere."""
    storage = str(data_dir / "orthanc")
    return {
        "Name": "PACS of the demo",
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "DicomAet": AE_TITLE,
        "DicomCheckCalledAet": True,
        "DicomPort": ports[PortName.PACS],
        "HttpPort": ports[PortName.PACS_WEB],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {person.name: person.password},
        "DicomModalities": {
            # In the words of a table, to name its rights; its address is that of the line to the router.
            "QIETOAZURE": {"AET": "QIETOAZURE", "Host": HOST, "Port": ports[LinkName.TRANSLATOR]},
            "QIEROUTER": {"AET": "QIEROUTER", "Host": HOST, "Port": ports[PortName.QIEROUTER]},
        },
        "DicomCheckModalityHost": True,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": False,
        "DicomAlwaysAllowGet": False,
        "DicomAlwaysAllowMove": False,
        "Plugins": [str(DICOMWEB_PLUGIN)] if DICOMWEB_PLUGIN.exists() else [],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _write(path: Path, settings: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=1)
    partial.replace(path)
