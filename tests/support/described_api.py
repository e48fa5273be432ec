"""Requests that follow from an OpenAPI document, for things that are there and things that are not.

schemathesis makes a request of what the document says of its parameters and body. Left to itself it would hardly ever
name an instance that is stored or accept what can be given: both are drawn here, so that answers of every kind come.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import schemathesis
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core import NOT_SET

from isocenter.dicomweb.codec.media_type import parse_media_type
from isocenter.domain.identifiers import InstanceIdentifier
from tests.support.small_instances import make_instance
from tests.support.stow import BOUNDARY
from tests.support.workitems import attribute, creation, discontinued, performed

DICOM = "application/dicom"
PARTS = f'multipart/related; type="{DICOM}"'
PART_HEAD = b"--%b\r\nContent-Type: application/dicom\r\n\r\n" % BOUNDARY.encode()
ROOT = "1.2.826.0.1.3680043.10.1455.88"
IN_PARTITION = "InPartition"
PARTITION = "north"
TAG = "00101010"
"""An attribute that searches do not match until they are told to."""
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
Request: TypeAlias = Case[Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is there to be asked for, by the names that paths have for it."""

    parameters: Mapping[str, str]

    @property
    def number(self) -> int:
        """Return what tells its study from others."""
        return int(self.parameters["study"].rpartition(".")[2])

    @property
    def uri_parameters(self) -> Mapping[str, str]:
        """Return the same as the URI service names it."""
        names = {"study": "studyUID", "series": "seriesUID", "instance": "objectUID"}
        return {name: self.parameters[key] for key, name in names.items()}


def instance_of(number: int, *, another: bool = False) -> bytes:
    """Return an instance of a study of its own for each number, or another one of that study."""
    name = f"{ROOT}.{number}.1.{2 if another else 1}"
    identifier = InstanceIdentifier(f"{ROOT}.{number}", f"{ROOT}.{number}.1", name)
    return make_instance(identifier, seed=number, size_bytes=512).content


def _damaged(content: bytes, place: int) -> bytes:
    """Return an instance whose end is missing, or one of whose bytes is another."""
    at = place % len(content)
    return content[:at] if place % 2 else content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


_INSTANCES = st.integers(0, 10**9).map(instance_of)
_FILES = st.one_of(_INSTANCES, st.builds(_damaged, _INSTANCES, st.integers(0, 10**6)), st.binary(max_size=300))


def _multipart(parts: list[bytes], is_closed: bool) -> bytes:
    end = b"--%b--\r\n" % BOUNDARY.encode() if is_closed else b""
    return b"".join([*(PART_HEAD + part + b"\r\n" for part in parts), end])


@cache
def register_media_types() -> None:
    """Teach schemathesis, once, what a body of DICOM is."""
    schemathesis.openapi.media_type(DICOM, _FILES)
    several = st.builds(_multipart, st.lists(_FILES, max_size=3), st.integers(0, 7).map(bool))
    schemathesis.openapi.media_type("multipart/related", several)


@st.composite
def requests_of(draw: st.DrawFn, operation: Operation, mode: GenerationMode, stored: Stored) -> Request:
    """Draw a request of an operation."""
    case: Request = draw(operation.as_strategy(mode))
    if draw(st.integers(0, 3)):
        _name_what_is_there(case, stored)
    if draw(st.integers(0, 3)):
        case.query.pop("accept", None)
        case.headers["Accept"] = draw(st.sampled_from(given_types(operation) or ["*/*"]))
    if case.media_type is not None and case.media_type.startswith("multipart/"):
        case.headers["Content-Type"] = f"{PARTS}; boundary={BOUNDARY}"
    name = name_of(operation)
    is_meant = mode is GenerationMode.POSITIVE and name in NEVER_DRAWN
    if name in BODIES and (is_meant or draw(st.integers(0, 3))):
        case.body = draw(BODIES[name](stored))
    elif name == "ExportInstances" and isinstance(case.body, dict):
        case.body.pop("destination", None)
    return case


def name_of(operation: Operation) -> str:
    """Return what an operation is called, wherever its path leads through."""
    return str(operation.definition.raw["operationId"]).removeprefix(IN_PARTITION)


def given_types(operation: Operation) -> list[str]:
    """Return the media types of answers where all is well, and those that leave the bytes as they are stored."""
    answers = operation.definition.raw["responses"].items()
    types = dict.fromkeys(name for status, answer in answers if status < "300" for name in answer.get("content", {}))
    return [*types, *(f"{name}; transfer-syntax=*" for name in types if name in (DICOM, PARTS))]


def promised_types(operation: Operation) -> list[str]:
    """Return the media types that an uncompressed image of one frame is given as, `*/*` where none is named."""
    types = [name for name in given_types(operation) if not _is_of_other_images(name, operation)]
    return types or ["*/*"]


def _is_of_other_images(media_type: str, operation: Operation) -> bool:
    """Tell whether only videos, frames that are stored compressed, or several frames are given as a type."""
    name = name_of(operation)
    if name == "RetrieveFrames":
        return "octet-stream" not in media_type and "jp2" not in media_type
    return media_type.startswith("video/") or (name == "RenderFrames" and media_type.startswith("multipart/"))


def is_of_type(content_type: str, promised: str) -> bool:
    """Tell whether the media type of an answer is the one that was promised; `*/*` promises nothing."""
    if promised == "*/*":
        return True
    given, wanted = parse_media_type(content_type), parse_media_type(promised)
    assert wanted is not None
    return given is not None and (given.essence, given.parameters.get("type")) == (
        wanted.essence,
        wanted.parameters.get("type"),
    )


def plain_request(operation: Operation, stored: Stored, accept: str) -> Request:
    """Return a request that is sure to be answered well: for what is there, with the parameters that must be given."""
    definition = operation.definition.raw
    parameters = definition.get("parameters", [])
    names = [one["name"] for one in parameters if one["in"] == "path"]
    query = {"requestType": "WADO", **stored.uri_parameters} if "ByUri" in name_of(operation) else {}
    if query and accept != "*/*":
        query["contentType"] = accept.partition(";")[0]
    body, media_type = _plain_body(operation, stored)
    return operation.Case(
        path_parameters={name: stored.parameters[name] for name in names},
        query=query,
        headers={"Accept": accept},
        body=body,
        media_type=media_type,
    )


def _plain_body(operation: Operation, stored: Stored) -> tuple[Any, str | None]:
    """Return a body that is sure to be taken, and its media type: the first that the document names."""
    definition = operation.definition.raw
    if "requestBody" not in definition:
        return NOT_SET, None
    media_type = next(iter(definition["requestBody"]["content"]))
    if media_type == DICOM:
        return instance_of(stored.number, another=True), media_type
    return PLAIN_BODIES[name_of(operation)](stored), media_type


def _name_what_is_there(case: Request, stored: Stored) -> None:
    for name in case.path_parameters.keys() & stored.parameters.keys():
        case.path_parameters[name] = stored.parameters[name]
    if "objectUID" in case.query:
        case.query.update(stored.uri_parameters)


def _exports(stored: Stored) -> st.SearchStrategy[Any]:
    """Draw exports to a folder: a drawn address of a container would be called."""
    source = {"type": "identifiers", "settings": {"values": [stored.parameters["study"]]}}
    folders = st.sampled_from([".", "a", "a/b"])
    return folders.map(lambda path: {"source": source, "destination": {"type": "folder", "settings": {"path": path}}})


def _tags(_: Stored) -> st.SearchStrategy[Any]:
    """Draw some of a few tags: a node has no room for all that could be drawn."""
    entries = st.builds(
        lambda path, level: {"path": path, "level": level},
        st.sampled_from(["00101020", "PatientWeight", "00181030", "StationName", "00200020", "00100020", "7FE00010"]),
        st.sampled_from(["Study", "Series", "Instance", "Patient"]),
    )
    return st.lists(entries, min_size=1, max_size=3)


def _update(stored: Stored, name: str) -> dict[str, object]:
    return {
        "studyInstanceUids": [stored.parameters["study"]],
        "changeDataset": {"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}},
    }


def _updates(stored: Stored) -> st.SearchStrategy[Any]:
    return st.sampled_from(["Test^One", "Test^Two", ""]).map(lambda name: _update(stored, name))


def _creations(_: Stored) -> st.SearchStrategy[Any]:
    return st.integers(0, 10**9).map(lambda number: [creation(t00080018=attribute("UI", f"{ROOT}.9.{number}"))])


def _states(_: Stored) -> st.SearchStrategy[Any]:
    states = st.sampled_from(["IN PROGRESS", "COMPLETED", "CANCELED", "SCHEDULED"])
    transactions = st.sampled_from([f"{ROOT}.7", f"{ROOT}.8"])
    return st.builds(
        lambda state, uid: [{"00741000": attribute("CS", state), "00081195": attribute("UI", uid)}],
        states,
        transactions,
    )


def _changes(_: Stored) -> st.SearchStrategy[Any]:
    return st.sampled_from([[performed()], [discontinued()], [{"00741204": attribute("LO", "Other")}]])


BODIES: Mapping[str, Callable[[Stored], st.SearchStrategy[Any]]] = {
    "AddExtendedQueryTags": _tags,
    "ExportInstances": _exports,
    "UpdateStudies": _updates,
    "CreateWorkitem": _creations,
    "ChangeWorkitemState": _states,
    "UpdateWorkitem": _changes,
}
"""Bodies that mean something, by operation; a drawn data set hardly ever does."""
NEVER_DRAWN = frozenset({"AddExtendedQueryTags", "ExportInstances"})
"""What drawn bodies would do without end: fill the table of tags, call the address of a container."""


def _new_tag(stored: Stored) -> object:
    path = f"0019{0x1000 + stored.number % 0xE000:04X}"
    return [{"path": path, "vr": "LO", "privateCreator": "TEST", "level": "Instance"}]


PLAIN_BODIES: Mapping[str, Callable[[Stored], object]] = {
    "AddExtendedQueryTags": _new_tag,
    "ChangeWorkitemState": lambda _: [
        {"00741000": attribute("CS", "IN PROGRESS"), "00081195": attribute("UI", f"{ROOT}.7")}
    ],
    "CreateWorkitem": lambda stored: [creation(t00080018=attribute("UI", f"{stored.parameters['instance']}.6"))],
    "ExportInstances": lambda _: {"destination": {"type": "folder", "settings": {"path": "plain"}}},
    "PauseOperation": lambda _: {"paused": True},
    "RequestWorkitemCancellation": lambda _: [{"00741238": attribute("LT", "Not needed")}],
    "UpdateExtendedQueryTag": lambda _: {"queryStatus": "Enabled"},
    "UpdateStudies": lambda stored: _update(stored, "Test^Other"),
    "UpdateWorkitem": lambda _: [{"00741204": attribute("LO", "Other")}],
}
"""A body that is sure to be taken, for each operation that has one in JSON; whoever adds one adds its row."""


def new_stored(*, seed: int) -> Stored:
    """Return the names of an instance that a test stores, whose value is in its pixels."""
    number = random.Random(seed).randrange(10**9, 10**10)
    return Stored(
        {
            "study": f"{ROOT}.{number}",
            "series": f"{ROOT}.{number}.1",
            "instance": f"{ROOT}.{number}.1.1",
            "frames": "1",
            "partition": PARTITION,
            "path": "7FE00010",
            "tag": TAG,
        }
    )
