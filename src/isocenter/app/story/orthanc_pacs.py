"""Orthanc as the PACS, by the REST that its own web page is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from isocenter.app.hospital.reach import Reach
from isocenter.app.migrating.digests import digest
from isocenter.app.story.pacs import RemoteSearch
from isocenter.domain.errors import NotFound, Unavailable

TIMEOUT_S = 30.0
"""Orthanc waits for another archive as long as its own settings say, ten seconds by default."""
CHANGES_PAGE = 1000
CHANGES_MAX = 1_000_000
"""Entries of its log of changes; a hospital that somebody played with for weeks has some thousands."""


class OrthancPacs:
    """A PACS that is an Orthanc."""

    def __init__(self, reach: Reach) -> None:
        self._url = reach.pacs.web_url.rstrip("/")
        self._auth = httpx.BasicAuth(reach.person.name, reach.person.password)
        self._own_title = reach.pacs.address.ae_title
        self._translator = reach.router.qietoazure.ae_title

    def studies_of(self, patient_id: str) -> frozenset[str]:
        """Return the studies of a patient that are in it."""
        found = self._find("Study", {"PatientID": patient_id})
        return frozenset(row["MainDicomTags"]["StudyInstanceUID"] for row in found)

    def instances_of(self, study: str) -> frozenset[str]:
        """Return the instances of a study that are in it."""
        return frozenset(self._instances(study))

    def digests_of(self, study: str) -> dict[str, str]:
        """Return SHA-256 of the pixel data of each instance of a study, as it comes back."""
        return {
            uid: digest(memoryview(self._call("GET", f"instances/{key}/file").content)).sha256
            for uid, key in self._instances(study).items()
        }

    def stored_again(self, studies: Iterable[str]) -> int:
        """Return how many instances of studies were stored more than once, by its log of changes."""
        keys = {key for study in studies for key in self._instances(study).values()}
        seen: Counter[str] = Counter()
        since = 0
        while since < CHANGES_MAX:
            page = self._call("GET", f"changes?since={since}&limit={CHANGES_PAGE}").json()
            new = [one["ID"] for one in page["Changes"] if one["ChangeType"] == "NewInstance"]
            seen.update(key for key in new if key in keys)
            since = page["Last"]
            if page["Done"]:
                break
        return sum(number - 1 for number in seen.values())

    def send_to_cloud(self, study: str) -> int:
        """Have it send a study, as its button "Send to DICOM modality" does."""
        document = {"Resources": [self._key_of(study)], "Synchronous": True}
        done = self._call("POST", f"modalities/{self._translator}/store", document).json()
        if done.get("FailedInstancesCount"):
            raise Unavailable(f"The PACS could not send {done['FailedInstancesCount']} of {done['InstancesCount']}.")
        return int(done["InstancesCount"])

    def find_in_cloud(self, patient_id: str) -> RemoteSearch:
        """Have it search, as its page "Query/Retrieve" does."""
        try:
            _, found = self._query({"PatientID": patient_id, "StudyInstanceUID": ""})
        except Unavailable as error:
            return RemoteSearch(failure=error.message)
        return RemoteSearch(found)

    def retrieve_from_cloud(self, study: str) -> int:
        """Have it retrieve what a search found."""
        path, found = self._query({"StudyInstanceUID": study})
        if found != {study}:
            raise NotFound(f"The PACS does not find study {study} in the cloud.")
        self._call("POST", f"{path}/retrieve", {"TargetAet": self._own_title, "Synchronous": True})
        return len(self.instances_of(study))

    def _query(self, keys: Mapping[str, str]) -> tuple[str, frozenset[str]]:
        document = {"Level": "Study", "Query": dict(keys)}
        made = self._call("POST", f"modalities/{self._translator}/query", document).json()
        path = f"queries/{made['ID']}"
        rows = self._call("GET", f"{path}/answers?expand&simplify").json()
        return path, frozenset(row["StudyInstanceUID"] for row in rows)

    def _instances(self, study: str) -> dict[str, str]:
        """Return the names that it has for the instances of a study, by their UID."""
        found = self._find("Instance", {"StudyInstanceUID": study})
        return {row["MainDicomTags"]["SOPInstanceUID"]: row["ID"] for row in found}

    def _key_of(self, study: str) -> str:
        found = self._find("Study", {"StudyInstanceUID": study})
        if not found:
            raise NotFound(f"Study {study} is not in the PACS.")
        return str(found[0]["ID"])

    def _find(self, level: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        document = {"Level": level, "Query": dict(query), "Expand": True}
        found: list[dict[str, Any]] = self._call("POST", "tools/find", document).json()
        return found

    def _call(self, method: str, path: str, document: object = None) -> httpx.Response:
        try:
            # Plain HTTP on loopback: without verify=False all certificate authorities of the machine would be read.
            with httpx.Client(auth=self._auth, timeout=TIMEOUT_S, verify=False, trust_env=False) as client:  # noqa: S501
                answer = client.request(method, f"{self._url}/{path}", json=document)
        except httpx.HTTPError as error:
            raise Unavailable(f"The PACS does not answer: {type(error).__name__}.") from error
        if not answer.is_success:
            raise Unavailable(_reason(answer))
        return answer


def _reason(answer: httpx.Response) -> str:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    words = [str(document.get(name, "")) for name in ("Message", "Details")] if isinstance(document, dict) else []
    told = ": ".join(word for word in words if word)
    return f"The PACS answers {answer.status_code}{f', {told}' if told else ''}."
