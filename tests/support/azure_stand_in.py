"""A strict stand-in of Azure's DICOM service: its limits and its answers, and whatever else a test has it answer.

Searches take what the service indexes and nothing else, no wildcards, pages of 200 at most and 100 by default; stores
take explicit VR only and say 45070 of what is there.
"""

from __future__ import annotations

import io
import json
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pydicom
from pydicom.dataset import Dataset

JSON = "application/dicom+json"
PAGE_DEFAULT, PAGE_MAX = 100, 200
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
ALREADY_EXISTS, NOT_VALID = 45070, 0x0110
BOUNDARY = "stand-in"

_STUDY_TAGS = ("StudyInstanceUID", "PatientName", "PatientID", "StudyDate", "StudyDescription", "AccessionNumber")
_SEARCHABLE = {
    "studies": {*_STUDY_TAGS, "PatientBirthDate", "ReferringPhysicianName", "ModalitiesInStudy"},
    "series": {"SeriesInstanceUID", "Modality", "PerformedProcedureStepStartDate", "ManufacturerModelName"},
    "instances": {"SOPInstanceUID"},
}
_UNIQUE = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
_ABOVE = {"studies": (), "series": ("studies",), "instances": ("studies", "series")}
_PATH = re.compile(r"(?:/studies/([\d.]+))?(?:/series/([\d.]+))?(?:/instances/([\d.]+))?(/\w+)?")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What it is answered."""

    status: int = 200
    content: bytes = b""
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    closes_after: int | None = None
    """Close the connection after so many bytes of the content."""


def rows(*documents: Mapping[str, Any], **options: Any) -> Told:
    """Return an answer of rows, 204 where there are none."""
    if not documents:
        return Told(204, **options)
    return Told(200, json.dumps(documents).encode(), **options)


def refused(status: int) -> Told:
    """Return a failure that may be tried again at once."""
    return Told(status, b"no", "text/plain", {"Retry-After": "0"})


Answer = Told | Callable[[Asked], Told]


@dataclass(slots=True)
class StandIn:
    """What it holds, what it was asked, and what it answers otherwise than the service would."""

    port: int = 0
    instances: list[Dataset] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    overrides: list[tuple[str, str, Answer]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the root of the service."""
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, answer: Answer) -> None:
        """Answer requests whose whole path fits a pattern so, from now on."""
        self.overrides.insert(0, (method, path, answer))

    def forget(self) -> None:
        """Be as new."""
        self.instances.clear()
        self.asked.clear()
        self.overrides.clear()

    def searches(self) -> list[Asked]:
        """Return the searches it was asked."""
        return [one for one in self.asked if one.method == "GET" and one.headers.get("accept") == JSON]

    def answer(self, asked: Asked) -> Told:
        """Return what a request is answered."""
        self.asked.append(asked)
        for method, path, answer in list(self.overrides):
            if method == asked.method and re.fullmatch(path, asked.path):
                return answer if isinstance(answer, Told) else answer(asked)
        if asked.method == "POST" and asked.path == "/studies":
            return self._store(asked)
        return self._search(asked) if asked.path.rsplit("/", 1)[-1] in _SEARCHABLE else self._retrieve(asked)

    # ---- searches

    def _search(self, asked: Asked) -> Told:
        *scope, level = asked.path.strip("/").split("/")
        found = self._below(dict(zip(scope[::2], scope[1::2], strict=True)))
        wanted, limit, offset, is_fuzzy = set[str](), PAGE_DEFAULT, 0, False
        for name, value in asked.parameters:
            if name == "includefield":
                wanted.add(value)
            elif name == "fuzzymatching":
                is_fuzzy = value == "true"
            elif name in ("limit", "offset"):
                limit, offset = (int(value), offset) if name == "limit" else (limit, int(value))
            elif not value or set("*?") & set(value) or not self._may_ask(name, level, scope):
                return Told(400, name.encode(), "text/plain")
            else:
                found = [one for one in found if _fits(one, name, value, is_fuzzy=is_fuzzy or self._is_fuzzy(asked))]
        if not 1 <= limit <= PAGE_MAX:
            return Told(400, b"limit", "text/plain")
        first = {str(one[_UNIQUE[level]].value): one for one in reversed(found)}  # the newest row comes first
        page = list(first.values())[offset : offset + limit]
        return rows(*(self._row(one, level, wanted) for one in page))

    @staticmethod
    def _is_fuzzy(asked: Asked) -> bool:
        return ("fuzzymatching", "true") in asked.parameters

    @staticmethod
    def _may_ask(name: str, level: str, scope: list[str]) -> bool:
        levels = [one for one in (*_ABOVE[level], level) if one not in scope]
        return any(name in _SEARCHABLE[one] for one in levels)

    def _below(self, scope: Mapping[str, str]) -> list[Dataset]:
        return [
            one
            for one in self.instances
            if all(str(one[_UNIQUE[resource]].value) == uid for resource, uid in scope.items())
        ]

    def _row(self, dataset: Dataset, level: str, wanted: set[str]) -> dict[str, Any]:
        keywords = {_UNIQUE[one] for one in (*_ABOVE[level], level)}
        keywords |= {"Modality"} if level != "studies" else set(_STUDY_TAGS)
        keywords |= {"SOPClassUID"} if level == "instances" else set()
        document: dict[str, Any] = dataset.to_json_dict(bulk_data_threshold=10**9)
        named = {f"{pydicom.datadict.tag_for_keyword(keyword):08X}" for keyword in keywords} | wanted
        row = {tag: value for tag, value in document.items() if tag in named and tag != "7FE00010"}
        if "00083002" in wanted and level == "instances":
            row["00083002"] = {"vr": "UI", "Value": [str(dataset.file_meta.TransferSyntaxUID)]}
        if "00080061" in wanted and level == "studies":
            row["00080061"] = {"vr": "CS", "Value": [dataset.Modality]}
        return row

    # ---- retrieval and store

    def _retrieve(self, asked: Asked) -> Told:
        matched = _PATH.fullmatch(asked.path)
        if matched is None:
            return Told(404)
        scope = zip(("studies", "series", "instances"), matched.groups()[:3], strict=True)
        found = self._below({resource: uid for resource, uid in scope if uid is not None})
        if not found:
            return Told(404)
        if matched[4] == "/metadata":
            documents = [one.to_json_dict(bulk_data_threshold=10**9) for one in found]
            return rows(*({tag: value for tag, value in one.items() if tag != "7FE00010"} for one in documents))
        return multipart(*map(encoded, found))

    def _store(self, asked: Asked) -> Told:
        taken, refusals = [], []
        for content in stored_parts(asked):
            dataset = pydicom.dcmread(io.BytesIO(content))
            uid = str(dataset.SOPInstanceUID)
            if str(dataset.file_meta.TransferSyntaxUID) == IMPLICIT_VR_LITTLE_ENDIAN:
                refusals.append((uid, NOT_VALID))
            elif any(str(one.SOPInstanceUID) == uid for one in self.instances):
                refusals.append((uid, ALREADY_EXISTS))
            else:
                self.instances.append(dataset)
                taken.append(uid)
        return store_answer(taken, refusals, status=200 if not refusals else 202 if taken else 409)


def store_answer(
    stored: list[str], failed: list[tuple[str, int]] | None = None, *, status: int = 200, warning: int | None = None
) -> Told:
    """Return the answer to a store."""
    document: dict[str, Any] = {}
    warnings = {} if warning is None else {"00081196": {"vr": "US", "Value": [warning]}}
    if stored:
        document["00081199"] = {"vr": "SQ", "Value": [{**_reference(uid), **warnings} for uid in stored]}
    if failed:
        reasons = [{**_reference(uid), "00081197": {"vr": "US", "Value": [reason]}} for uid, reason in failed]
        document["00081198"] = {"vr": "SQ", "Value": reasons}
    return Told(status, json.dumps(document).encode())


def _reference(uid: str) -> dict[str, Any]:
    return {"00081155": {"vr": "UI", "Value": [uid]}}


def _fits(dataset: Dataset, name: str, value: str, *, is_fuzzy: bool) -> bool:
    stored = str(dataset.Modality if name == "ModalitiesInStudy" else getattr(dataset, name, ""))
    if name in ("StudyDate", "PatientBirthDate") and "-" in value:
        lowest, _, highest = value.partition("-")
        return (not lowest or stored >= lowest) and (not highest or stored <= highest)
    if name == "PatientName" and is_fuzzy:
        words = _folded(stored).replace("^", " ").split()
        return all(any(word.startswith(prefix) for word in words) for prefix in _folded(value).split())
    return stored.lower() == value.lower()


def _folded(text: str) -> str:
    """Return text without regard to case and accents, as the service's index of names has it."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


def encoded(dataset: Dataset) -> bytes:
    """Return an instance as a file."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def multipart(*contents: bytes) -> Told:
    """Return instances as an answer of WADO-RS."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + content + b"\r\n" for content in contents) + f"--{BOUNDARY}--\r\n".encode()
    return Told(200, body, f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')


def stored_parts(asked: Asked) -> list[bytes]:
    """Return the instances of a store request."""
    boundary = asked.headers["content-type"].split("boundary=")[1].strip('"').encode()
    pieces = asked.content.split(b"--" + boundary)[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in pieces]


@contextmanager
def standing_in(stand_in: StandIn | None = None) -> Iterator[StandIn]:
    """Run a stand-in for the length of a block; one that ran before keeps its port."""
    kept = stand_in or StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            parameters = tuple(parse_qsl(parts.query, keep_blank_values=True))
            told = kept.answer(Asked(self.command, parts.path, parameters, headers, content))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            if told.status != 204:
                self.send_header("Content-Type", told.media_type)
            self.send_header("Content-Length", str(len(told.content)))
            self.end_headers()
            self.wfile.write(told.content[: told.closes_after])
            if told.closes_after is not None:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _take  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", kept.port), Handler)
    server.daemon_threads = True
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
