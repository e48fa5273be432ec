"""A client that writes everything it does into a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from isocenter.domain.identifiers import InstanceIdentifier
from tests.durability.history import ABSENT, History
from tests.support.dicomweb import JSON
from tests.support.small_instances import SmallInstance, digest_of
from tests.support.stow import BOUNDARY

ANSWER_TIMEOUT_S = 60
SOP_INSTANCE_UID = "00081155"
STORED_SEQUENCE = "00081199"
FAILED_SEQUENCE = "00081198"
FAILURE_REASON = "00081197"
AS_STORED = "application/dicom; transfer-syntax=*"
REFUSED_WHOLE = frozenset({httpx.codes.INSUFFICIENT_STORAGE, httpx.codes.REQUEST_ENTITY_TOO_LARGE})
"""Answers that promise that nothing of the request was kept."""
PROCESSING_FAILURE = 0x0110
"""An I/O error: whether it was kept is unknown until the next start (R10)."""


class NodeGone(Exception):
    """The connection broke: the node was killed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a store request."""

    status: int
    acknowledged: list[InstanceIdentifier]
    reasons: list[int]


class Client:
    """One sender. `policy` is the node's duplicate policy."""

    def __init__(self, dicomweb_url: str, history: History, *, policy: str = "replace") -> None:
        self.base_url = dicomweb_url
        self._http = httpx.Client(
            base_url=dicomweb_url,
            timeout=ANSWER_TIMEOUT_S,
            trust_env=False,
            verify=False,  # noqa: S501 - plain HTTP on loopback; reading all authorities costs more than the requests
        )
        self._history = history
        self._policy = policy

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def store(self, instances: Sequence[SmallInstance]) -> Stored:
        """Send instances in one request; raise NodeGone where no answer comes."""
        may_replace = self._policy != "refuse"
        before = {
            instance.identifier: self._history.begin_store(instance, may_replace=may_replace) for instance in instances
        }
        assert len(before) == len(instances), "one identity once in a request"
        answer = self.post(instances)
        by_uid = {instance.identifier.sop_instance_uid: instance for instance in instances}
        result = Stored(answer.status_code, [], [])
        is_data = answer.headers.get("content-type", "").startswith(JSON)
        dataset: dict[str, Any] = answer.json() if is_data else {}
        for item in dataset.get(STORED_SEQUENCE, {}).get("Value", []):
            instance = by_uid.pop(item[SOP_INSTANCE_UID]["Value"][0])
            self._history.acknowledge(instance.identifier, instance.digest)
            result.acknowledged.append(instance.identifier)
        for item in dataset.get(FAILED_SEQUENCE, {}).get("Value", []):
            reason = item[FAILURE_REASON]["Value"][0]
            result.reasons.append(reason)
            if SOP_INSTANCE_UID in item:  # an instance that did not even reach the scanner has no name yet
                identifier = by_uid.pop(item[SOP_INSTANCE_UID]["Value"][0]).identifier
                if reason != PROCESSING_FAILURE:
                    self._history.refused(identifier, before[identifier])
        is_settled = bool(result.reasons) and PROCESSING_FAILURE not in result.reasons
        if is_settled or answer.status_code in REFUSED_WHOLE:
            for instance in by_uid.values():
                self._history.refused(instance.identifier, before[instance.identifier])
        return result

    def post(self, instances: Sequence[SmallInstance]) -> httpx.Response:
        """Send instances in one request and leave it to the caller to record what comes of it."""
        return self._ask("POST", "/studies", content=_multipart(instances), headers=_STORE_HEADERS)

    def delete(self, identifier: InstanceIdentifier) -> int:
        """Delete an instance; raise NodeGone where no answer comes."""
        before = self._history.begin_delete(identifier)
        status = self._ask("DELETE", path_of(identifier)).status_code
        if status == httpx.codes.NO_CONTENT:
            self._history.acknowledge(identifier, ABSENT)
        elif status == httpx.codes.NOT_FOUND:
            self._history.observe(identifier, ABSENT)
        elif status in REFUSED_WHOLE:
            self._history.refused(identifier, before)
        return status

    def read(self, identifier: InstanceIdentifier) -> bytes | None:
        """Return an instance's bytes, None where it is not there; anything else than those two is a failure."""
        answer = self._ask("GET", path_of(identifier), headers={"Accept": AS_STORED})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text[:500]}"
        return answer.content

    def read_frame(self, identifier: InstanceIdentifier) -> bytes | None:
        """Return the bytes of an instance's frame, None where it is not there."""
        accept = {"Accept": "application/octet-stream; transfer-syntax=*"}
        answer = self._ask("GET", f"{path_of(identifier)}/frames/1", headers=accept)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text[:500]}"
        return answer.content

    def metadata(self, identifier: InstanceIdentifier) -> dict[str, Any] | None:
        """Return an instance's metadata, None where it is not there."""
        answer = self._ask("GET", f"{path_of(identifier)}/metadata", headers={"Accept": JSON})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text[:500]}"
        [instance] = answer.json()
        return dict(instance)

    def get(self, path: str, accept: str, **headers: str) -> httpx.Response:
        """Ask for anything."""
        return self._ask("GET", path, headers={"Accept": accept, **headers})

    def check(self, identifier: InstanceIdentifier) -> None:
        """Hold one instance, read whole, against the history."""
        content = self.read(identifier)
        self._history.observe(identifier, ABSENT if content is None else digest_of(content))

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise NodeGone(str(error)) from error


_STORE_HEADERS = {
    "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
    "Accept": JSON,
}


def path_of(identifier: InstanceIdentifier) -> str:
    """Return the path of an instance below the service's root."""
    return (
        f"/studies/{identifier.study_instance_uid}/series/{identifier.series_instance_uid}"
        f"/instances/{identifier.sop_instance_uid}"
    )


def _multipart(instances: Sequence[SmallInstance]) -> bytes:
    head = b"--%b\r\nContent-Type: application/dicom\r\n\r\n" % BOUNDARY.encode()
    return b"".join([head + instance.content + b"\r\n" for instance in instances]) + b"--%b--\r\n" % BOUNDARY.encode()
