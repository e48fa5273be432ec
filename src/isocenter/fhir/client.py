"""A client of a FHIR R4 server: search, transaction, delete, and whether the server can be used at all.

It asks once and says what happened; who is patient is the cast. Requests go to the address of the settings alone:
redirects are not followed, nor are links to the next page that lead elsewhere.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from isocenter.fhir.answers import error_of, fhir_errors
from isocenter.fhir.errors import FhirConflict, FhirNotUsable, FhirUnavailable
from isocenter.fhir.mapping.plan import Plan
from isocenter.fhir.mapping.resource import Resource, query_of, reference_of, version_of

MEDIA_TYPE = "application/fhir+json"
VERSIONS = ("4.0.0", "4.0.1")
"""Of FHIR R4."""
CONNECT_TIMEOUT_S = 10.0
TIMEOUT_S = 120.0
"""A server that validates a study of thousands of instances takes its time."""
ANSWER_TIMEOUT_S = 600.0
"""For all of an answer, however small its pieces."""
ANSWER_SIZE_MAX_BYTES = 256 * 1024**2
"""A page of studies, each of them some megabytes."""
_REMEDY = "is fhir.url right?"
_REMEDIES = {"Observation": "set fhir.observations to off."}
PAGES_MAX = 100_000
"""Of one search: a server whose links go in a circle is left."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a server says of itself."""

    software: str
    fhir_version: str


class FhirClient:
    """Talk to one FHIR server over connections that stay open."""

    def __init__(
        self,
        url: str,
        *,
        auth: httpx.Auth | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Make one; `auth` signs requests and raises errors of the domain where it cannot."""
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            auth=auth,
            verify=True if tls is None else tls,
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=2),
            follow_redirects=False,
            headers={"Accept": MEDIA_TYPE},
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def check(self) -> Capability:
        """Ask what the server is; raises FhirNotUsable unless it speaks R4 and carries out transactions."""
        status, document, headers = self._ask("GET", "metadata")
        if status == httpx.codes.NOT_FOUND:
            raise FhirNotUsable("There is no FHIR server at fhir.url; it is the address before /metadata.")
        if status != httpx.codes.OK:
            raise error_of(status, document, headers)
        if document is None or document.get("resourceType") != "CapabilityStatement":
            raise FhirNotUsable("There is no FHIR server at fhir.url.")
        version = str(document.get("fhirVersion"))
        if version not in VERSIONS:
            raise FhirNotUsable(f"The FHIR server speaks version {version[:20]}; R4 (4.0.1) is needed.")
        if not any(_has_transactions(rest) for rest in document.get("rest") or ()):
            raise FhirNotUsable("The FHIR server carries out no transactions, which are needed.")
        software = document.get("software")
        name = software.get("name") if isinstance(software, Mapping) else None
        return Capability(str(name)[:100] if name else "without a name", version)

    def search(self, resource_type: str, parameters: Mapping[str, str]) -> list[Resource]:
        """Return the resources of all pages of a search."""
        return list(self.iter_search(resource_type, parameters))

    def iter_search(self, resource_type: str, parameters: Mapping[str, str]) -> Iterator[Resource]:
        """Yield the resources of a search, page by page."""
        address = f"{resource_type}?{query_of(parameters)}"
        for _ in range(PAGES_MAX):
            status, document, headers = self._ask("GET", address)
            if status == httpx.codes.NOT_FOUND:
                raise FhirNotUsable(
                    f"The FHIR server knows no {resource_type}; {_REMEDIES.get(resource_type, _REMEDY)}"
                )
            if status != httpx.codes.OK:
                raise error_of(status, document, headers)
            if document is None or document.get("resourceType") != "Bundle":
                raise FhirUnavailable("The FHIR server answered a search with something else than a Bundle.")
            for entry in document.get("entry") or ():
                resource = entry.get("resource") if isinstance(entry, dict) else None
                if isinstance(resource, dict) and resource.get("resourceType") == resource_type:
                    yield resource
            address = self._next(document)
            if not address:
                return
        raise FhirUnavailable("The FHIR server gives no end of pages.")

    def carry_out(self, plan: Plan) -> None:
        """Write what a plan says, all or nothing. Raises FhirConflict where somebody else was faster."""
        if plan.entries:
            self._transact(plan)
        if plan.deletion is not None:
            self._delete(plan.deletion)

    def _transact(self, plan: Plan) -> None:
        bundle = plan.bundle()
        status, document, headers = self._ask("POST", "", bundle)
        if not httpx.codes.is_success(status):
            raise error_of(status, document, headers)
        answers = (document or {}).get("entry") or ()
        for answer in answers:
            response = answer.get("response") if isinstance(answer, dict) else None
            said = str(response.get("status", "")) if isinstance(response, dict) else ""
            code = int(said[:3]) if said[:3].isdecimal() else 0
            if code >= httpx.codes.BAD_REQUEST:  # a server that took it for a batch
                outcome = response.get("outcome") if isinstance(response, dict) else None
                raise error_of(code, outcome if isinstance(outcome, dict) else None, {})
        created = zip(bundle["entry"], answers, strict=False)
        if any(one["request"]["method"] == "POST" and _status(answer) == "200" for one, answer in created):
            raise FhirConflict("Somebody else created a resource on the FHIR server meanwhile.")

    def _delete(self, resource: Resource) -> None:
        version = version_of(resource)
        conditions = {} if version is None else {"If-Match": f'W/"{version}"'}
        status, document, headers = self._ask("DELETE", reference_of(resource), headers=conditions)
        if not httpx.codes.is_success(status) and status not in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            raise error_of(status, document, headers)

    def _next(self, bundle: Mapping[str, Any]) -> str:
        """Return the address of the next page; empty at the end. Only one on the same server is followed."""
        here = httpx.URL(f"{self.url}/")
        for link in bundle.get("link") or ():
            if isinstance(link, dict) and link.get("relation") == "next":
                with fhir_errors():
                    url = here.join(str(link.get("url")))
                if (url.scheme, url.host, url.port) != (here.scheme, here.host, here.port):
                    raise FhirNotUsable("The FHIR server names another address than fhir.url for its next page.")
                return str(url)
        return ""

    def _ask(
        self, method: str, address: str, body: Resource | None = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any] | None, Mapping[str, str]]:
        """Make a request; return status, JSON object where there is one, and headers."""
        url = address if "://" in address else f"{self.url}/{address}".rstrip("/")
        content = None if body is None else orjson.dumps(body)
        sent = dict(headers or {}) | (
            {} if content is None else {"Content-Type": MEDIA_TYPE, "Prefer": "return=minimal"}
        )
        with fhir_errors(), self._http.stream(method, url, content=content, headers=sent) as answer:
            found, began_s = bytearray(), time.monotonic()
            for chunk in answer.iter_bytes():
                found += chunk
                if len(found) > ANSWER_SIZE_MAX_BYTES or time.monotonic() - began_s > ANSWER_TIMEOUT_S:
                    raise FhirUnavailable("The FHIR server's answer is too large, or takes too long.")
            status, given = answer.status_code, answer.headers
        try:
            document = orjson.loads(found) if found else None
        except orjson.JSONDecodeError:
            document = None
        return status, document if isinstance(document, dict) else None, given


def _status(answer: Any) -> str:
    response = answer.get("response") if isinstance(answer, dict) else None
    return str(response.get("status", ""))[:3] if isinstance(response, dict) else ""


def _has_transactions(rest: Any) -> bool:
    interactions = rest.get("interaction") if isinstance(rest, dict) else None
    return isinstance(interactions, list) and any(
        isinstance(one, dict) and one.get("code") == "transaction" for one in interactions
    )
