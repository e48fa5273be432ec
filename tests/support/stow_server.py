"""A DICOMweb service on loopback that answers stores as a test wants, right or wrong."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from urllib.parse import parse_qs

from isocenter.dicom.scan import scan_instance

JSON = "application/dicom+json"
_WANTED = frozenset({0x00080018})
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    parts: Sequence[bytes]
    """Files of a store."""
    form: Mapping[str, str]

    @property
    def uids(self) -> list[str]:
        """Return the SOP Instance UIDs of the files."""
        return [scan_instance(part, wanted=_WANTED).attributes[0x00080018] for part in self.parts]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; None of it closes the connection without one."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[Request], Answer | None]


def stored(
    uids: Sequence[str], *, failed: Mapping[str, int] | None = None, warned: Mapping[str, int] | None = None
) -> Answer:
    """Return the answer of a service that stored some, with failure and warning reasons by UID."""
    warned = warned or {}
    referenced = [_item(uid, "00081196", warned.get(uid)) for uid in uids]
    failures = [_item(uid, "00081197", reason) for uid, reason in (failed or {}).items()]
    document = {}
    if referenced:
        document["00081199"] = {"vr": "SQ", "Value": referenced}
    if failures:
        document["00081198"] = {"vr": "SQ", "Value": failures}
    status = 409 if failures and not referenced else 202 if failures or warned else 200
    return Answer(status, json.dumps(document).encode())


def _item(uid: str, tag: str, reason: int | None) -> dict[str, object]:
    item: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}}
    if reason is not None:
        item[tag] = {"vr": "US", "Value": [reason]}
    return item


def store_all(request: Request) -> Answer:
    """Answer as a service that is well."""
    return stored(request.uids) if request.method in ("POST", "PUT") else Answer(200, b"[]")


@dataclass
class StowServer:
    """What came, and what is answered."""

    url: str
    script: Script = store_all
    requests: list[Request] = field(default_factory=list)

    @property
    def stores(self) -> list[Request]:
        """Return the requests that were to store something."""
        return [one for one in self.requests if one.method in ("POST", "PUT") and one.path.endswith("/studies")]


@contextmanager
def stow_server(script: Script = store_all, *, tls: SSLContext | None = None) -> Iterator[StowServer]:
    """Run one for the length of a block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = self._request(self.rfile.read(length))
            server.requests.append(request)
            answer = server.script(request)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def _request(self, body: bytes) -> Request:
            headers = {name.lower(): value for name, value in self.headers.items()}
            content_type = headers.get("content-type", "")
            found = re.search(r'boundary="?([^";]+)', content_type)
            parts = _parts(body, found[1].encode()) if found else []
            is_form = content_type.startswith("application/x-www-form-urlencoded")
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()} if is_form else {}
            return Request(self.command, self.path.partition("?")[0], headers, parts, form)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815 - as http.server names them

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        if tls is not None:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        server = StowServer(f"{scheme}://127.0.0.1:{listening.server_address[1]}", script)
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def _parts(body: bytes, boundary: bytes) -> list[bytes]:
    """Return the files of a multipart body, whose parts have one blank line before their content."""
    pieces = body.split(b"--" + boundary)[1:-1]
    return [piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for piece in pieces]
