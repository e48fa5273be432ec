"""What the map of the network shows, made of where parts answer and how they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from isocenter.app.hospital.control import Cut, HospitalStatus, Line, LineStatus, Part, PartState, PartStatus
from isocenter.app.hospital.options import DEFAULT_FOLDER
from isocenter.app.hospital.reach import PacsKind, Reach

_TONES: Mapping[PartState, str] = {
    PartState.STARTING: "busy",
    PartState.RUNNING: "good",
    PartState.STOPPING: "busy",
    PartState.STOPPED: "",
    PartState.KILLED: "bad",
    PartState.CRASHED: "warn",
    PartState.FAILED: "bad",
}
_CUTS: Mapping[Cut, str] = {
    Cut.REFUSE: "nobody listens",
    Cut.SILENCE: "nothing is answered",
    Cut.RESET: "connections break",
    Cut.SLOW: "slow as a telephone",
}


def map_values(reach: Reach, status: HospitalStatus) -> dict[str, object]:
    """Return the values of the page."""
    return {
        "parts": {one.name.value: {**_texts(reach)[one.name], **_part(one)} for one in status.parts},
        "lines": {one.name.value: _line(one) for one in status.lines},
        "person": {"name": reach.person.name, "password": reach.person.password},
        "folder": str(reach.folder),
        "demo": demo_command(reach.folder),
        "script": f"isocenter modality script 3 \\\n  --hospital {quote(str(reach.folder))}",
        "filling": status.filling,
        "addresses": {
            "pacs": str(reach.pacs.address),
            "qierouter": str(reach.router.qierouter),
            "qietoazure": str(reach.router.qietoazure),
            "cloud": reach.cloud_url,
        },
        "ways": [{"name": cut.value, "text": text} for cut, text in _CUTS.items()],
    }


def demo_command(folder: Path) -> str:
    """Return how the command is called that finds the hospital of a folder."""
    return (
        "isocenter demo" if folder == Path.cwd() / DEFAULT_FOLDER else f"isocenter demo --folder {quote(str(folder))}"
    )


def _texts(reach: Reach) -> dict[Part, dict[str, object]]:
    """Return what each part is, and where a person looks at it."""
    is_orthanc = reach.pacs.kind is PacsKind.ORTHANC
    pacs_pages = [("Explorer" if is_orthanc else "Studies", f"{reach.pacs.web_url}/")]
    if not is_orthanc:
        pacs_pages.append(("Query/Retrieve", f"{reach.pacs.web_url}/query"))
    return {
        Part.PACS: {
            "title": "PACS",
            "text": "Orthanc. Speaks DIMSE alone."
            if is_orthanc
            else "The archive in the hospital. Speaks DIMSE alone.",
            "addresses": [str(reach.pacs.address)],
            "pages": pacs_pages,
        },
        Part.ROUTER: {
            "title": "Router",
            "text": "Keeps what modalities send, and gives it to both archives.",
            "addresses": [str(reach.router.qierouter), str(reach.router.qietoazure)],
            "pages": [("Router", f"{reach.router.web_url}/router")],
        },
        Part.CLOUD: {
            "title": "Cloud",
            "text": "A DICOM service that speaks DICOMweb alone and asks for tokens.",
            "addresses": [f"{reach.cloud_url}/v2"],
            "pages": [
                ("Studies", f"{reach.cloud_url}/"),
                ("Viewer", f"{reach.cloud_url}/viewer/"),
                ("Service", f"{reach.cloud_url}/service"),
            ],
        },
    }


def _part(one: PartStatus) -> dict[str, object]:
    is_up = one.state in (PartState.RUNNING, PartState.STARTING, PartState.CRASHED)
    return {
        "name": one.name.value,
        "state": one.state.value,
        "tone": _TONES[one.state],
        "message": one.message,
        "restarts": one.restarts,
        "process_id": one.process_id,
        "is_up": is_up,
    }


def _line(one: LineStatus) -> dict[str, object]:
    other = {Line.PACS: "PACS", Line.CLOUD: "cloud"}[one.name]
    return {
        "name": one.name.value,
        "other": other,
        "is_cut": one.cut is not None,
        "state": "sound" if one.cut is None else f"cut: {_CUTS[one.cut]}",
        "tone": "good" if one.cut is None else "bad",
        "open_connections": one.open_connections,
    }
