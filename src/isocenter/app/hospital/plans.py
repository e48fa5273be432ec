"""How each part is started."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.app.faults.process import PROGRAM
from isocenter.app.hospital.control import Part
from isocenter.app.hospital.folder import HospitalFolder
from isocenter.app.hospital.options import PortName
from isocenter.app.hospital.orthanc import orthanc_plan
from isocenter.app.hospital.ports import HOST, LinkName
from isocenter.app.hospital.reach import PacsKind, Person
from isocenter.modality.faults.scenario import ProcessPlan

_NAMES = {Part.PACS: "PACS", Part.ROUTER: "Router", Part.CLOUD: "Cloud"}
"""By which their consoles are told apart."""


def part_plans(
    folder: HospitalFolder, pacs: PacsKind, *, ports: Mapping[str, int], person: Person
) -> dict[Part, ProcessPlan]:
    """Return how the parts are started; raises InvalidSetting where one cannot be."""
    remotes = [f"QIETOAZURE@{HOST}:{ports[LinkName.TRANSLATOR]}", f"QIEROUTER@{HOST}:{ports[PortName.QIEROUTER]}"]
    return {
        Part.PACS: orthanc_plan(Part.PACS, folder.of(Part.PACS), ports=ports, person=person)
        if pacs is PacsKind.ORTHANC
        else _node(
            folder,
            Part.PACS,
            ports[PortName.PACS_WEB],
            *("--dicom", f"ORTHANC@{HOST}:{ports[PortName.PACS]}"),
            *(word for remote in remotes for word in ("--remote", remote)),
        ),
        Part.ROUTER: _node(
            folder,
            Part.ROUTER,
            ports[PortName.ROUTER_WEB],
            *("--remote", f"ORTHANC@{HOST}:{ports[LinkName.PACS]}"),
            *("--set", f"routing.configuration={folder.channels_file}"),
            *_worklist(pacs),
        ),
        Part.CLOUD: _node(folder, Part.CLOUD, ports[PortName.CLOUD]),
    }


def _node(folder: HospitalFolder, part: Part, web_port: int, *arguments: str) -> ProcessPlan:
    web = f"{HOST}:{web_port}"
    command = (
        *(PROGRAM, "serve", "--data-dir", str(folder.of(part)), "--http", web, "--auth", "required"),
        *("--set", f"console.name={_NAMES[part]}"),
        *arguments,
    )
    return ProcessPlan(name=part.value, command=command, ready=f"http://{web}/health/ready")


def _worklist(pacs: PacsKind) -> tuple[str, ...]:
    """Return how the router asks for the work list: our PACS keeps one, Orthanc has none unless a plugin brings it."""
    return () if pacs is PacsKind.ORTHANC else ("--set", "worklist.ris=ORTHANC")
