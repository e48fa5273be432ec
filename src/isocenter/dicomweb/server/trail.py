"""The trail that a request leaves in the audit log: a record before it, a record after it (dicom-service 12.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from starlette.requests import Request

from isocenter.domain.audit import AuditAction, AuditRecord
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.principal import Principal

CUSTOM_PREFIX = "X-MS-AZUREDICOM-AUDIT-"
CUSTOM_HEADERS_MAX = 10
CUSTOM_LENGTH_MAX = 2048
CORRELATION_HEADER = "x-ms-request-id"
_RAW_PREFIX = CUSTOM_PREFIX.lower().encode()


@dataclass(slots=True)
class Trail:
    """The two records of one request."""

    write: Callable[[AuditRecord], None]
    first: AuditRecord

    @property
    def correlation_id(self) -> str:
        """Return by what a caller finds the records again."""
        return self.first.correlation_id

    def begin(self, caller: Principal | None) -> None:
        """Record who is about to do it."""
        self.first = replace(self.first, caller=caller)
        self.write(self.first)

    def end(self, status: int) -> None:
        """Record how it ended."""
        self.write(replace(self.first, action=AuditAction.EXECUTED, status=status))


def open_trail(
    write: Callable[[AuditRecord], None],
    request: Request,
    *,
    operation: str,
    resource: Mapping[str, str],
    properties: Mapping[str, str],
) -> Trail:
    """Return the trail of a request; nothing is recorded yet."""
    record = AuditRecord(
        AuditAction.EXECUTING,
        operation=operation,
        correlation_id=str(uuid4()),
        caller=None,
        address="" if request.client is None else request.client.host,
        method=request.method,
        uri=_uri(request, operation),
        resource=resource,
        properties=properties,
    )
    return Trail(write, record)


def _uri(request: Request, operation: str) -> str:
    """Return the address that was asked for; the lock of a workitem, which an update names behind it, is a secret."""
    return str(request.url.replace(query="") if operation == "update-workitem" else request.url)


def custom_properties(request: Request) -> Mapping[str, str]:
    """Return what the caller wants to have recorded; raises InvalidRequest where that is too much."""
    found = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in request.scope["headers"]
        if name.startswith(_RAW_PREFIX)
    }
    if len(found) > CUSTOM_HEADERS_MAX:
        raise InvalidRequest(f"The request has more than {CUSTOM_HEADERS_MAX} headers that begin with {CUSTOM_PREFIX}.")
    if any(len(value) > CUSTOM_LENGTH_MAX for value in found.values()):
        raise InvalidRequest(
            f"A header that begins with {CUSTOM_PREFIX} is longer than {CUSTOM_LENGTH_MAX} characters."
        )
    return found
