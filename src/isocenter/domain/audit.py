"""What the audit log says of a request: two records, before and after (dicom-service 12.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from isocenter.domain.principal import Principal


class AuditAction(StrEnum):
    """Whether the operation begins or has ended."""

    EXECUTING = "Executing"
    EXECUTED = "Executed"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who did what with which resource. It may name patients (in a search), and never holds a secret."""

    action: AuditAction
    operation: str
    """The sub-type of the route, as `retrieve-metadata`."""
    correlation_id: str
    """The same in both records of a request, and in its answer."""
    caller: Principal | None
    """None for a caller that was not recognized."""
    address: str
    """Where the request came from."""
    method: str
    uri: str
    status: int | None = None
    """What was answered; None before."""
    resource: Mapping[str, str] = field(default_factory=dict)
    """What the path names: partition, study, series, instance and so on."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What the caller wants to have recorded (`X-MS-AZUREDICOM-AUDIT-…`)."""
