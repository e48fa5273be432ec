"""An archive that speaks DICOMweb, as whoever looks into it sees it: our PACS, the cloud."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

from isocenter.app.migrating.digests import digest
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.domain.errors import Broken, Unavailable
from isocenter.domain.identifiers import Level, Scope

TIMEOUT_S = 20.0
"""A part on the same machine that has not answered by then hangs."""
PAGE = 200
"""What Azure's service gives at most."""
ROWS_MAX = 1_000_000
"""Of a change feed; a hospital that somebody played with for weeks has some thousands."""
STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID = "0020000D", "0020000E", "00080018"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking for a page or a picture."""

    status: int
    media_type: str
    content: bytes


class WebSource:
    """Asks one DICOMweb service. Use it from one thread at a time."""

    def __init__(self, base_url: str, *, path: str, auth: httpx.Auth | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._service = self._base_url + path
        self._auth = auth

    def studies_of(self, patient_id: str) -> frozenset[str]:
        """Return the studies of a patient."""
        with self._client() as client:
            rows = client.search(Level.STUDY, [("PatientID", patient_id), ("limit", str(PAGE))])
        return frozenset(_value(row, STUDY_INSTANCE_UID) for row in rows)

    def instances_of(self, study: str) -> frozenset[str]:
        """Return the instances of a study."""
        return frozenset(scope.sop_instance_uid or "" for scope in self._instances(study))

    def digests_of(self, study: str) -> dict[str, str]:
        """Return SHA-256 of the pixel data of each instance of a study, as it comes back."""
        found: dict[str, str] = {}
        with self._client() as client:
            for scope in self._instances(study):
                for instance in client.retrieve(scope):
                    content = b"".join(instance.chunks)
                    found[scope.sop_instance_uid or ""] = digest(memoryview(content)).sha256
        return found

    def stored_again(self, studies: Iterable[str]) -> int:
        """Return how many entries of the change feed tell of an instance that one before has told of."""
        wanted, seen = frozenset(studies), Counter[str]()
        for offset in range(0, ROWS_MAX, PAGE):
            query = f"limit={PAGE}&offset={offset}&includeMetadata=false"
            rows = self._json(f"/changefeed?{query}")
            seen.update(
                row["sopInstanceUid"]
                for row in rows
                if row["action"].lower() == "create" and row["studyInstanceUid"] in wanted
            )
            if len(rows) < PAGE:
                break
        return sum(number - 1 for number in seen.values())

    def metadata_of(self, study: str) -> int:
        """Return for how many instances of a study the service gives metadata."""
        with self._client() as client:
            return len(client.metadata(Scope(study)))

    def picture_of(self, study: str) -> Answer:
        """Return the first instance of a study as a picture."""
        first = next(iter(self._instances(study)), None)
        if first is None:
            raise Broken("There is nothing to make a picture of.")
        path = f"/studies/{study}/series/{first.series_instance_uid}/instances/{first.sop_instance_uid}/rendered"
        return self._get(self._service + path, {"Accept": "image/png"})

    def page(self, path: str) -> Answer:
        """Return a page of the part's console."""
        return self._get(self._base_url + path, {"Accept": "text/html"})

    def _instances(self, study: str) -> list[Scope]:
        with self._client() as client:
            found: list[Scope] = []
            while True:
                parameters = [("limit", str(PAGE)), ("offset", str(len(found)))]
                rows = client.search(Level.INSTANCE, parameters, within=Scope(study))
                found += [Scope(study, _value(row, SERIES_INSTANCE_UID), _value(row, SOP_INSTANCE_UID)) for row in rows]
                if len(rows) < PAGE:
                    return found

    def _client(self) -> DicomwebClient:
        # Plain HTTP on loopback: a context of its own keeps the certificate authorities of the machine from being read.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return DicomwebClient(self._service, auth=self._auth, tls=tls, timeout_s=TIMEOUT_S)

    def _json(self, path: str) -> list[dict[str, str]]:
        answer = self._get(self._service + path, {"Accept": "application/json"})
        if answer.status != httpx.codes.OK:
            raise Unavailable(f"{self._service} answers {answer.status}.")
        rows: list[dict[str, str]] = httpx.Response(200, content=answer.content).json()
        return rows

    def _get(self, url: str, headers: dict[str, str]) -> Answer:
        try:
            # Plain HTTP on loopback: without verify=False all certificate authorities of the machine would be read.
            with httpx.Client(auth=self._auth, timeout=TIMEOUT_S, verify=False, trust_env=False) as client:  # noqa: S501
                answer = client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._base_url} does not answer: {type(error).__name__}.") from error
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        return Answer(answer.status_code, media_type, answer.content)


def _value(row: dict[str, object], tag: str) -> str:
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    if not isinstance(values, list) or not values:
        raise Broken("A row of a search has no UID.")
    return str(values[0])
