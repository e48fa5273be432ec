"""A small FHIR R4 server, strict about what it takes: run as a program with a port and a file that keeps its resources.

Create, read, update, delete, conditional create, versions with ETag and If-Match, search by what a cast searches by,
pages, transactions that are all or nothing, checked references, a capability statement. `/$faults` makes it fail as
real ones do.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.fhir_rules import RESOURCES, Invalid, references_of, require_valid

PAGE = 5
"""Small, so that pages are turned."""
SEARCHES = {
    "Patient": ("identifier",),
    "Endpoint": ("identifier", "name:exact", "connection-type"),
    "ImagingStudy": ("identifier", "endpoint"),
    "Observation": ("identifier", "part-of"),
}
"""What resources are searched by."""
MEDIA_TYPE = "application/fhir+json"
_PATH = re.compile(r"(\w+)(?:/([A-Za-z0-9.-]+))?")


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(
        self, status: int, code: str = "processing", *, path: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers or {}
        issue: dict[str, Any] = {"severity": "error", "code": code, "diagnostics": "Said by the server: Doe^John"}
        if path:
            issue["expression"] = [path]
        self.outcome = {"resourceType": "OperationOutcome", "issue": [issue]}


class Dropped(Exception):
    """The connection is cut without an answer."""


class Store:
    """The resources, kept in a file with every commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        kept = json.loads(path.read_text()) if path.exists() else {}
        self.resources: dict[str, dict[str, Any]] = kept.get("resources", {})
        self.gone: dict[str, int] = kept.get("gone", {})
        self.next = int(kept.get("next", 1))
        self.faults: dict[str, Any] = {}
        self.log: list[str] = []

    def snapshot(self) -> tuple[str, dict[str, int], int]:
        """Return everything, to be put back."""
        return json.dumps(self.resources), dict(self.gone), self.next

    def put_back(self, kept: tuple[str, dict[str, int], int]) -> None:
        """Take back what was done since."""
        self.resources, self.gone, self.next = json.loads(kept[0]), kept[1], kept[2]

    def save(self) -> None:
        """Make what was done durable."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"resources": self.resources, "gone": self.gone, "next": self.next}))
        os.replace(fresh, self.path)

    def search(self, kind: str, query: str) -> list[dict[str, Any]]:
        """Return the resources of a kind that match, oldest first."""
        pairs = [(name, value) for name, value in parse_qsl(query) if not name.startswith("_")]
        for name, _ in pairs:
            if name not in SEARCHES[kind]:
                raise Refusal(400, "not-supported", path=name if re.fullmatch(r"[\w:.-]+", name) else "")
        found = [one for key, one in self.resources.items() if key.split("/")[0] == kind]
        for name, value in pairs:
            found = [one for one in found if _matches(one, name, value)]
        return sorted(found, key=lambda one: int(one["id"]))

    def create(self, resource: dict[str, Any], condition: str | None) -> tuple[int, dict[str, Any]]:
        """Create, unless the condition finds one."""
        kind = resource.get("resourceType", "")
        if condition is not None:
            found = self.search(kind, condition)
            if len(found) > 1:
                raise Refusal(412, "multiple-matches")
            if found:
                return 200, found[0]
        if "id" in resource:
            raise Refusal(400, "invalid", path="id")
        made = {**resource, "id": str(self.next)}
        self.next += 1
        self._write(made, 1)
        return 201, made

    def update(self, kind: str, number: str, resource: dict[str, Any], match: str | None) -> dict[str, Any]:
        """Write in the place of the version that is named."""
        key = f"{kind}/{number}"
        self._require(key, match)
        if resource.get("id") != number or resource.get("resourceType") != kind:
            raise Refusal(400, "invalid", path="id")
        made = dict(resource)
        self._write(made, int(self.resources[key]["meta"]["versionId"]) + 1)
        return made

    def delete(self, kind: str, number: str, match: str | None) -> None:
        """Delete the version that is named."""
        key = f"{kind}/{number}"
        self._require(key, match)
        if any(key in references_of(one) for one in self.resources.values()):
            raise Refusal(409, "conflict")
        self.gone[key] = int(self.resources.pop(key)["meta"]["versionId"]) + 1

    def _require(self, key: str, match: str | None) -> None:
        if key in self.gone:
            raise Refusal(410, "deleted")
        if key not in self.resources:
            raise Refusal(404, "not-found")
        if match is not None and match != f'W/"{self.resources[key]["meta"]["versionId"]}"':
            raise Refusal(412, "conflict")

    def _write(self, resource: dict[str, Any], version: int) -> None:
        try:
            require_valid(resource)
        except Invalid as error:
            raise Refusal(422, error.code, path=error.path) from error
        for uid in self.faults.get("poison", ()):
            if uid in json.dumps(resource):
                raise Refusal(422, "business-rule", path="ImagingStudy.series")
        for uid in self.faults.get("stuck", ()):
            if uid in json.dumps(resource):
                raise Refusal(500, "exception")
        resource["meta"] = {
            **resource.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": "2026-11-21T00:00:00Z",
        }
        self.resources[f"{resource['resourceType']}/{resource['id']}"] = resource

    def require_references(self) -> None:
        """Refuse what refers to nothing."""
        for one in self.resources.values():
            for reference in references_of(one):
                if reference not in self.resources:
                    raise Refusal(409 if reference in self.gone else 400, "not-found", path="reference")

    def transact(self, bundle: dict[str, Any]) -> dict[str, Any]:
        """Carry out a transaction, all or nothing."""
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
            raise Refusal(400, "invalid", path="Bundle.type")
        self._compete()
        names: dict[str, str] = {}
        text = json.dumps(bundle.get("entry", []))
        for entry in json.loads(text):  # creates first, so that others can refer to them
            if entry["request"]["method"] == "POST":
                condition = entry["request"].get("ifNoneExist")
                found = self.search(entry["request"]["url"], condition) if condition else []
                if len(found) > 1:
                    raise Refusal(412, "multiple-matches")
                names[entry["fullUrl"]] = (
                    f"{entry['request']['url']}/{found[0]['id'] if found else self.next + len(names)}"
                )
        start = self.next
        for full_url, name in names.items():
            text = text.replace(full_url, name)
        answers = [{"response": self._carry_out(entry)} for entry in json.loads(text)]
        self.next = max(self.next, start)
        self.require_references()
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def _carry_out(self, entry: dict[str, Any]) -> dict[str, Any]:
        request = entry["request"]
        if request["method"] == "POST":
            wanted = entry["fullUrl"].split("/")[-1]
            if f"{request['url']}/{wanted}" in self.resources:
                return {"status": "200 OK", "location": f"{request['url']}/{wanted}"}
            self.next = int(wanted)
            status, made = self.create(entry["resource"], request.get("ifNoneExist"))
        elif request["method"] == "PUT":
            kind, number = request["url"].split("/")
            status, made = 200, self.update(kind, number, entry["resource"], request.get("ifMatch"))
        elif request["method"] == "DELETE":
            kind, number = request["url"].split("/")
            self.delete(kind, number, request.get("ifMatch"))
            return {"status": "204 No Content"}
        else:
            raise Refusal(400, "not-supported", path="Bundle.entry.request.method")
        version = made["meta"]["versionId"]
        location = f"{made['resourceType']}/{made['id']}/_history/{version}"
        return {
            "status": f"{status} {'Created' if status == 201 else 'OK'}",
            "location": location,
            "etag": f'W/"{version}"',
        }

    def _compete(self) -> None:
        """Let somebody else write all resources just before, as often as was asked for."""
        if self.faults.get("competitors", 0) > 0:
            self.faults["competitors"] -= 1
            for one in self.resources.values():
                one["meta"]["versionId"] = str(int(one["meta"]["versionId"]) + 1)


def _matches(resource: dict[str, Any], name: str, value: str) -> bool:
    if name == "identifier":
        return any(
            _is_token(one, "value", each) for one in resource.get("identifier", ()) for each in _split(value, ",")
        )
    if name == "name:exact":
        return bool(resource.get("name") == value)
    if name == "connection-type":
        return _is_token(resource["connectionType"], "code", value)
    return value in [one["reference"] for one in resource.get(name.replace("part-of", "partOf"), ())]


def _split(text: str, separator: str) -> list[str]:
    return re.split(rf"(?<!\\){re.escape(separator)}", text)


def _is_token(element: dict[str, Any], name: str, text: str) -> bool:
    parts = [re.sub(r"\\(.)", r"\1", part) for part in _split(text, "|")]
    if len(parts) == 1:
        return bool(element.get(name) == parts[0])
    return bool(element.get("system", "") == parts[0] and element.get(name) == parts[1])


class Handler(BaseHTTPRequestHandler):
    """Answer requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    """Header and body go out together: a client would wait for an acknowledgement between them."""
    store: Store
    base = ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Say nothing."""

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": MEDIA_TYPE, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        with self.store.lock:
            kept = self.store.snapshot()
            try:
                status, document, headers = self._route(body)
            except Refusal as refusal:
                self.store.put_back(kept)
                self._answer(refusal.status, refusal.outcome, refusal.headers)
            except Dropped:
                self.close_connection = True
            else:
                self._answer(status, document, headers)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - the names of the base class

    def _route(self, body: bytes) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/fhir").strip("/")
        if path.startswith("$"):
            return self._control(path, body)
        self.store.log.append(f"{self.command} {self.path}")
        self._fail_before()
        if path == "metadata":
            return 200, self._capabilities(), {}
        if "answer" in self.store.faults:
            return 200, self.store.faults["answer"], {}
        if body and self.headers.get("Content-Type", "").split(";")[0] != MEDIA_TYPE:
            raise Refusal(415, "not-supported")
        done = self._interact(path, parts.query, json.loads(body) if body else {})
        if self.command != "GET":
            self.store.save()
            if self.store.faults.get("lost_answers", 0) > 0:
                self.store.faults["lost_answers"] -= 1
                raise Dropped
        return done

    def _interact(self, path: str, query: str, resource: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        store = self.store
        if not path and self.command == "POST":
            return 200, store.transact(resource), {}
        found = _PATH.fullmatch(path)
        if found is None or found[1] not in RESOURCES:
            raise Refusal(404, "not-supported")
        kind, number = found[1], found[2]
        match = self.headers.get("If-Match")
        if self.command == "GET" and number is None:
            return 200, self._page(kind, query), {}
        if self.command == "POST" and number is None:
            status, made = store.create(resource, self.headers.get("If-None-Exist"))
            store.require_references()
            return status, made, {"ETag": f'W/"{made["meta"]["versionId"]}"'}
        if self.command == "GET":
            store._require(f"{kind}/{number}", None)
            one = store.resources[f"{kind}/{number}"]
            return 200, one, {"ETag": f'W/"{one["meta"]["versionId"]}"'}
        if self.command == "PUT":
            made = store.update(kind, number, resource, match)
            store.require_references()
            return 200, made, {"ETag": f'W/"{made["meta"]["versionId"]}"'}
        store.delete(kind, number, match)
        return 204, None, {}

    def _page(self, kind: str, query: str) -> dict[str, Any]:
        offset = int(dict(parse_qsl(query)).get("_offset", 0))
        found = self.store.search(kind, query)
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        page = found[offset : offset + PAGE]
        if page:
            bundle["entry"] = [{"resource": one, "search": {"mode": "match"}} for one in page]
        if offset + PAGE < len(found):
            bare = re.sub(r"&?_offset=\d+", "", query)
            address = self.store.faults.get("next_page") or f"{self.base}/{kind}?{bare}&_offset={offset + PAGE}"
            bundle["link"] = [{"relation": "next", "url": address}]
        return bundle

    def _fail_before(self) -> None:
        faults = self.store.faults
        time.sleep(faults.get("delay_s", 0.0))
        if faults.get("dropped_requests", 0) > 0:
            faults["dropped_requests"] -= 1
            raise Dropped
        if faults.get("statuses"):
            status = faults["statuses"].pop(0)
            raise Refusal(status, "throttled", headers=faults.get("headers", {}))
        token = faults.get("token")
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            raise Refusal(401, "login")

    def _control(self, path: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if path == "$faults":
            self.store.faults.update(json.loads(body))
        elif path == "$empty":
            self.store.resources, self.store.gone, self.store.faults, self.store.log = {}, {}, {}, []
        elif path == "$token":
            return self._token(dict(parse_qsl(body.decode())))
        elif path == "$log":
            return 200, self.store.log, {}
        return 200, list(self.store.resources.values()), {}

    def _token(self, form: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        """Give a token to the one client that is known (RFC 6749 4.4)."""
        known = {"grant_type": "client_credentials", "client_id": "node", "client_secret": "s3cr3t"}
        if known.items() - form.items():
            return 401, {"error": "invalid_client"}, {}
        self.store.log.append(f"TOKEN {form.get('scope')}")
        return 200, {"access_token": self.store.faults.get("token"), "expires_in": 3600, "token_type": "Bearer"}, {}

    def _capabilities(self) -> dict[str, Any]:
        statement = {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "fhirVersion": "4.0.1",
            "software": {"name": "strict"},
            "rest": [{"mode": "server", "interaction": [{"code": "transaction"}]}],
        }
        return statement | dict(self.store.faults.get("capabilities", {}))


def main() -> None:
    """Serve until the process is ended."""
    port, path = int(sys.argv[1]), Path(sys.argv[2])
    Handler.store, Handler.base = Store(path), f"http://127.0.0.1:{port}/fhir"
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
