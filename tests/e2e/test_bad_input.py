"""What nobody should send: an answer that says so, flat memory, nothing half stored, the next request served.

reliability S20 to S22, S24 to S27, S31, S35.
"""

from __future__ import annotations

import io
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack
from urllib.parse import quote

import httpx
import pytest

from tests.support.catalogue import BOUNDARY, Instance, instance, new_uid, send, store, store_single
from tests.support.dicom_files import (
    DEFLATED,
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    element,
    file_of,
    header,
    implicit_element,
)
from tests.support.dicomweb import JSON, client, failure_reasons, get
from tests.support.processes import Node

MULTIPART = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'}
ATTRIBUTES = (
    "StudyInstanceUID",
    "PatientName",
    "PatientID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "ModalitiesInStudy",
)
MEGABYTE = 1024**2


@pytest.fixture(params=["dicom-web", "v1", "v2"])
def root(node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of each root in turn; after the test the node serves the next request."""
    address = f"{node.base_url}/{request.param}"
    yield address
    one = instance()
    assert store(address, one.content).status_code == httpx.codes.OK
    assert get(f"{address}/{one.path}", "application/dicom; transfer-syntax=*").content == one.content


def _instances(node: Node) -> int:
    """Return how many instances the node has, by counting them."""
    answer = get(f"{node.base_url}/dicom-web/instances?limit=1&includetotal=true", JSON)
    return int(answer.headers["x-total-count"])


def _resident_bytes(node: Node) -> int:
    pages = Path(f"/proc/{node.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


def _forget_peak(node: Node) -> int:
    """Let the highest use of memory be counted anew; return the present one."""
    Path(f"/proc/{node.process.pid}/clear_refs").write_text("5", encoding="ascii")
    return _resident_bytes(node)


def _peak_bytes(node: Node) -> int:
    status = Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _parts(*pieces: bytes) -> bytes:
    limit = BOUNDARY.encode()
    return b"".join(b"--%b\r\n%b\r\n" % (limit, piece) for piece in pieces) + b"--%b--\r\n" % limit


HEAD = b"Content-Type: application/dicom\r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary anywhere",
        b"--other\r\n" + HEAD + b"x\r\n--other--\r\n",
        f"--{BOUNDARY}".encode(),
        f"--{BOUNDARY}\r\n".encode() + HEAD,
        f"--{BOUNDARY}\r\n".encode() + HEAD + b"DICM",
        _parts(b"no header\r\n\r\nx"),
        _parts(b"Content-Type application/dicom\r\n\r\nx"),
        _parts(b"X: " + b"y" * 100_000 + b"\r\n\r\nx"),
        _parts(b"".join(b"X%d: y\r\n" % number for number in range(5000)) + b"\r\nx"),
        _parts(b"Content-Type: application/dicom\r\nContent-Type: text/html\r\n\r\n\xff\xfe"),
    ],
)
def test_malformed_multipart_stores_nothing(node: Node, root: str, body: bytes) -> None:
    before = _instances(node)
    answer = send(root, body, headers=MULTIPART)
    assert answer.status_code in (204, 400, 409, 413, 415, 431), answer.text
    assert _instances(node) == before


@pytest.mark.parametrize("boundary", ["", "x" * 1000, "a\\b", "ä", "a b ", "-" * 70])
def test_a_boundary_that_is_none_is_refused(node: Node, root: str, boundary: str) -> None:
    content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
    headers = [(b"Content-Type", content_type.encode("latin-1")), (b"Accept", JSON.encode())]
    before = _instances(node)
    answer = client().post(f"{root}/studies", content=b"--x--", headers=headers)
    assert answer.status_code in (204, 400, 415)
    assert _instances(node) == before


def _nested(depth: int) -> bytes:
    inner = element(0x00080070, "LO", b"made")
    for _ in range(depth):
        inner = (
            header(0x00400275, "SQ", UNDEFINED)
            + pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, UNDEFINED)
            + inner
            + implicit_element(ITEM_END, b"")
            + implicit_element(SEQUENCE_END, b"")
        )
    return inner


def _bomb() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = io.BytesIO()
    out.write(deflater.compress(element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")))
    out.write(deflater.compress(header(0x0040A160, "UT", 600 * MEGABYTE)))
    block = bytes(MEGABYTE)
    for _ in range(600):
        out.write(deflater.compress(block))
    out.write(deflater.flush())
    return file_of(out.getvalue(), DEFLATED)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "only zeros": lambda: bytes(100_000),
    "no data set": lambda: file_of(b""),
    "a length beyond the file": lambda: file_of(header(0x00100010, "LT", 60_000) + b"x"),
    "a sequence beyond the file": lambda: file_of(header(0x00400275, "SQ", 0xFFFFFFF0) + b"x" * 16),
    "an endless sequence": lambda: file_of(header(0x00400275, "SQ", UNDEFINED)),
    "too deep": lambda: instance(more=_nested(5000)).content,
    "too many elements": lambda: instance(more=element(0x00091010, "LO", b"") * 1_100_000).content,
    "too many invalid elements": lambda: instance(more=element(0x00091010, "CS", b"low ") * 200_000).content,
    "a deflate bomb": _bomb,
    "deflated garbage": lambda: file_of(b"\xff" * 10_000, DEFLATED),
    "pixel data cut off": lambda: instance(pixels=bytes(100_000)).content[:-5000],
    "a long file meta": lambda: bytes(128) + b"DICM" + element(0x00020102, "OB", bytes(2 * MEGABYTE)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_instance_is_refused_or_kept_whole(node: Node, root: str, name: str) -> None:
    content = HOSTILE[name]()
    before, resident_bytes = _instances(node), _forget_peak(node)
    answer = store_single(root, content)
    assert answer.status_code in (200, 202, 409, 413), answer.text
    assert _peak_bytes(node) - resident_bytes < 600 * MEGABYTE
    stored = answer.status_code in (200, 202)
    assert _instances(node) == before + stored
    if not stored and answer.status_code == httpx.codes.CONFLICT:
        assert failure_reasons(answer) == [43264]


@pytest.mark.parametrize(
    "term", [b"NO SUCH SET ", b"\\\\\\\\\\\\", b"ISO 2022 IR 87\\" * 40, b"\xff\xfe\xfd\xfc", b"\0\0"]
)
def test_a_character_set_that_is_none_does_not_lose_the_instance(node: Node, term: bytes) -> None:
    root = f"{node.base_url}/dicom-web"
    one = instance(SpecificCharacterSet=term, PatientName=b"\x1b$B\xff\xfe^\x80 ")
    assert store(root, one.content).status_code == httpx.codes.OK
    for version in ("dicom-web", "v1", "v2"):
        [metadata] = get(f"{node.base_url}/{version}/{one.path}/metadata", JSON).json()
        assert metadata["00080018"]["Value"] == [one.sop]


HOSTILE_UIDS = [
    "../../../etc/passwd",
    "/etc/passwd",
    "%2e%2e",
    "1.2\0.3",
    "1" * 1000,
    "１.２.３",
    "1.2;DROP TABLE study",
    "...",
]


@pytest.mark.parametrize("uid", HOSTILE_UIDS)
@pytest.mark.parametrize("keyword", ["study", "series", "sop"])
def test_a_hostile_uid_is_stored_nowhere(node: Node, root: str, uid: str, keyword: str) -> None:
    before = _instances(node)
    values = {"study": new_uid(), "series": new_uid(), "sop": new_uid(), keyword: uid}
    one = instance(study=values["study"], series=values["series"], sop=values["sop"])
    answer = store(root, one.content)
    assert answer.status_code == httpx.codes.CONFLICT, answer.text
    assert _instances(node) == before


@pytest.mark.parametrize("uid", HOSTILE_UIDS)
def test_a_hostile_uid_in_a_path_reaches_nothing(root: str, uid: str) -> None:
    safe = quote(uid, safe="")
    for path in (f"studies/{safe}", f"studies/1.2/series/{safe}", f"studies/1.2/series/1.3/instances/{safe}"):
        for answer in (
            get(f"{root}/{path}", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
            get(f"{root}/{path}/metadata", JSON),
            client().delete(f"{root}/{path}"),
        ):
            assert answer.status_code in (400, 404, 405)
            assert b"root:" not in answer.content


def test_no_file_is_named_by_what_was_sent(node: Node) -> None:
    one = instance(PatientID="FILE-NAME-CANARY", PatientName="Canary^File")
    assert store(f"{node.base_url}/v2", one.content).status_code == httpx.codes.OK
    names = [str(path.relative_to(node.data_dir)) for path in node.data_dir.rglob("*")]
    assert names
    for text in (one.study, one.series, one.sop, "FILE-NAME-CANARY", "Canary"):
        assert [name for name in names if text in name] == []


NESTED = [b"[" * 200_000, b"[" * 5000 + b"]" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":"' + b"\\" * 99_999]


@pytest.mark.parametrize("body", NESTED, ids=len)
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "export", "application/json"),
        ("PATCH", "operations/00000000000000000000000000000000", "application/json"),
        ("POST", "extendedquerytags", "application/json"),
        ("PATCH", "extendedquerytags/00101010", "application/json"),
        ("POST", "studies/$bulkUpdate", "application/json"),
        ("POST", "workitems", JSON),
        ("POST", "workitems/1.2.3", JSON),
        ("PUT", "workitems/1.2.3/state", JSON),
        ("POST", "workitems/1.2.3/cancelrequest", JSON),
    ],
)
def test_json_that_is_nested_without_end_is_refused(node: Node, method: str, path: str, kind: str, body: bytes) -> None:
    headers = {"Content-Type": kind, "Accept": JSON}
    answer = client().request(method, f"{node.base_url}/v2/{path}", content=body, headers=headers)
    assert answer.status_code in (400, 404, 413), answer.text
    assert get(f"{node.base_url}/v2/studies?limit=1", JSON).status_code in (200, 204)


INJECTIONS = [
    "' OR 1=1 --",
    '" OR ""="',
    "%",
    "_",
    "a%' ESCAPE '",
    "\\",
    "*?*?*?*?*?*",
    "[a-z]",
    "x'); DROP TABLE study; --",
    "\0",
]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("fuzzy", ["", "&fuzzymatching=true"])
def test_what_could_be_a_statement_is_text(node: Node, attribute: str, text: str, fuzzy: str) -> None:
    before = _instances(node)
    for version in ("dicom-web", "v2"):
        answer = get(f"{node.base_url}/{version}/studies?{attribute}={quote(text)}{fuzzy}&limit=5", JSON)
        assert answer.status_code in (200, 204, 400), answer.text
    assert _instances(node) == before


POLYGLOTS = {
    "PE": b"MZ" + bytes(58) + pack("<I", 128),
    "ELF": b"\x7fELF\x02\x01\x01",
    "HTML": b"<html><script>alert(1)</script></html>",
    "ZIP": b"PK\x03\x04",
    "PDF": b"%PDF-1.7",
}


@pytest.mark.parametrize("kind", POLYGLOTS)
def test_a_preamble_that_is_something_else_is_never_shown_by_a_browser(root: str, kind: str) -> None:
    preamble = POLYGLOTS[kind].ljust(128, b"\0")
    plain = instance()
    one = Instance(plain.study, plain.series, plain.sop, preamble + plain.content[128:])
    assert store(root, one.content).status_code == httpx.codes.OK
    answer = get(f"{root}/{one.path}", "application/dicom; transfer-syntax=*")
    assert answer.content == one.content
    assert answer.headers["content-type"].startswith("application/dicom")
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"


def _raw(node: Node, request: bytes) -> bytes:
    host, port = node.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        try:
            return connection.recv(65536)
        except ConnectionError:
            return b""


def test_a_length_that_is_announced_is_no_memory(node: Node) -> None:
    before = _resident_bytes(node)
    head = (
        "POST /v2/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/dicom+json\r\n"
        f"Content-Type: application/dicom\r\nContent-Length: {4 * 1024**3 - 1}\r\n\r\n"
    ).encode()
    host, port = node.base_url.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port)), timeout=20) for _ in range(20)]
    try:
        for connection in connections:
            connection.sendall(head + bytes(1024))
        assert get(f"{node.base_url}/v2/studies?limit=1", JSON).status_code in (200, 204)
        assert _resident_bytes(node) - before < 64 * MEGABYTE
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("difference", [-100, 100])
def test_a_body_of_another_length_than_it_says_stores_nothing(node: Node, difference: int) -> None:
    one = instance()
    body = _parts(HEAD + one.content)
    head = (
        "POST /v2/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/dicom+json\r\n"
        f"Content-Type: {MULTIPART['Content-Type']}\r\nContent-Length: {len(body) + difference}\r\n\r\n"
    ).encode()
    host, port = node.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            answer = connection.recv(65536)
            assert not answer or answer.startswith(b"HTTP/1.1 4"), answer
    assert get(f"{node.base_url}/v2/{one.path}/metadata", JSON).status_code == httpx.codes.NOT_FOUND
    assert store(f"{node.base_url}/v2", one.content).status_code == httpx.codes.OK


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * (100 * MEGABYTE // 10),
        b"GET /v2/studies?" + b"a" * MEGABYTE,
        b"GET /v2/studies HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
    ],
)
def test_an_endless_head_takes_no_memory(node: Node, head: bytes) -> None:
    before = _resident_bytes(node)
    with suppress(OSError):  # the node may close while it is still being told
        _raw(node, head)
    assert _resident_bytes(node) - before < 64 * MEGABYTE
    assert get(f"{node.base_url}/v2/studies?limit=1", JSON).status_code in (200, 204)


def test_bytes_that_are_almost_a_boundary_are_read_in_linear_time(node: Node) -> None:
    near = (b"\r\n--" + BOUNDARY.encode()[:-1] + b"x") * 40_000
    times = []
    for factor in (1, 8):
        body = _parts(HEAD + near * factor)
        started = time.monotonic()
        assert send(f"{node.base_url}/v2", body, headers=MULTIPART).status_code == httpx.codes.CONFLICT
        times.append(time.monotonic() - started)
    assert times[1] < 8 * max(times[0], 0.05) * 3


@pytest.mark.parametrize("version", ["dicom-web", "v1", "v2"])
def test_a_header_of_a_hundred_megabytes_leaves_memory_flat(node: Node, version: str) -> None:
    root = f"{node.base_url}/{version}"
    more = b"".join(element(0x00091010 + number, "UT", b"x" * MEGABYTE) for number in range(100))
    one = instance(more=element(0x00090010, "LO", b"TESTS ") + more)
    before = _forget_peak(node)
    answer = store_single(root, one.content)
    assert answer.status_code in (200, 202, 409), answer.text
    assert _peak_bytes(node) - before < 300 * MEGABYTE
    assert get(f"{root}/studies?limit=1", JSON).status_code in (200, 204)
