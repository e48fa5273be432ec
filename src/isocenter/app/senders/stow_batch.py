"""One batch on its way to a DICOMweb service: requests, their halves, and what becomes of each instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from isocenter.app.senders.comparing import is_same_instance
from isocenter.app.senders.converting import (
    CONVERSION_ERRORS,
    Converter,
    fault_of_conversion,
    fault_of_reading,
    words_of,
)
from isocenter.app.web_report import report_of, report_of_result
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dicomweb.client.client import DicomwebClient
from isocenter.dicomweb.client.upload import BATCH_INSTANCES_MAX, InstanceSource, StoreResult
from isocenter.domain.errors import CorruptInstance, InvalidDataset, IsocenterError, NotFound, StorageFailed
from isocenter.domain.identifiers import Scope
from isocenter.routing.configuration.destination import OnConflict, WebProfile, WebTarget
from isocenter.routing.deliveries.report import (
    HttpAnswered,
    InstanceDiffers,
    InstanceFailed,
    InstanceIdentical,
    InstanceUnmentioned,
    Report,
    TransportFailed,
)
from isocenter.routing.deliveries.sender import OnReport, Outgoing
from isocenter.routing.deliveries.verdict import Verdict, judge
from isocenter.routing.sending.halving import send_halving

EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
OF_REQUEST = frozenset({400, 406, 409, 413, 415, 422})
"""Statuses for which a whole request is refused because of what is in it."""
CONFLICT, TOO_LARGE, UNSUPPORTED, FAULTY = 409, 413, 415, 500
UNAUTHORIZED = frozenset({401, 403})
_NEEDS_EXPLICIT = frozenset({IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN})
_SPOILT = (CorruptInstance, NotFound, StorageFailed)
"""What reading an instance raises; the request that it lies in is broken off with it."""


@dataclass(slots=True)
class ServiceKnowledge:
    """What was learnt of a service since its destination was configured; shared by its workers."""

    takes_explicit_only: bool = False
    request_size_max_bytes: int | None = None
    """Below what it has called too large."""
    request_count_max: int = BATCH_INSTANCES_MAX
    """Fewer after a connection was lost under a request: so what breaks it is found, and holds nothing else up."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service, and how it is spoken with."""

    target: WebTarget
    client: DicomwebClient
    converter: Converter
    knowledge: ServiceKnowledge
    on_conflict: OnConflict = OnConflict.SHELVE
    renew: Callable[[], None] | None = None
    """Has the next request get a new token; None where there are none."""

    @property
    def can_replace(self) -> bool:
        """Tell whether what is there is to be replaced, and can be."""
        return self.on_conflict is OnConflict.REPLACE and self.target.profile is WebProfile.AZURE

    @property
    def takes_explicit_only(self) -> bool:
        """Tell whether instances go out in explicit VR little endian where they are in another native syntax."""
        return self.target.profile is WebProfile.AZURE or self.knowledge.takes_explicit_only


class Over(Exception):
    """The service, or the way to it, fails whatever is sent."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a request was refused as a whole."""

    report: Report
    detail: str

    @property
    def status(self) -> int:
        return self.report.status if isinstance(self.report, HttpAnswered) else 0


@dataclass(slots=True)
class _Item:
    """An instance on its way."""

    outgoing: Outgoing
    """As it was handed in."""
    sent: Outgoing
    """As it is sent."""
    spoilt: IsocenterError | None = None
    """Why it could not be read while its request went out."""

    @property
    def source(self) -> InstanceSource:
        """Return it as a part of a request."""
        uid = self.outgoing.identifier.sop_instance_uid
        return InstanceSource(uid, self.sent.size_bytes, self._read, uid)

    def _read(self) -> Iterator[bytes | memoryview]:
        try:
            yield from self.sent.read()
        except _SPOILT as error:
            self.spoilt = error.without_frames()
            raise


class StowBatch:
    """Sends the instances of one batch and reports each."""

    def __init__(self, service: Service, on_report: OnReport, stack: ExitStack) -> None:
        """Make one; what is converted is let go with the stack."""
        self._service = service
        self._on_report = on_report
        self._stack = stack
        self._may_renew = service.renew is not None
        """Once in each batch: a token may have been withdrawn before its time."""

    def send(self, instances: Sequence[Outgoing]) -> None:
        """Send instances in one request, and where it is refused as a whole in halves; raises Over."""
        items = [item for each in instances if (item := self._item(each)) is not None]
        send_halving(items, send=self._send_request, refuse=self._refuse)

    def _item(self, outgoing: Outgoing) -> _Item | None:
        """Return an instance as it is sent, None where it cannot be converted as it must."""
        if self._service.takes_explicit_only and outgoing.transfer_syntax_uid in _NEEDS_EXPLICIT:
            return self._converted(outgoing)
        return _Item(outgoing, outgoing)

    def _converted(self, outgoing: Outgoing) -> _Item | None:
        try:
            converted = self._service.converter.convert(outgoing, EXPLICIT_VR_LITTLE_ENDIAN)
        except CONVERSION_ERRORS as error:
            self._on_report(outgoing, fault_of_conversion(error), words_of(error))
            return None
        self._stack.callback(converted.close)
        sent = replace(
            outgoing,
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
            size_bytes=converted.size_bytes,
            read=converted.read,
        )
        return _Item(outgoing, sent)

    # ---- requests

    def _send_request(self, part: Sequence[_Item], *, replaces: bool = False) -> _Refusal | None:
        """Send one request and report what it says of each; return why it was refused as a whole, None if it was not.

        Raises Over where that has nothing to do with what is in it.
        """
        try:
            results = self._service.client.store_together([item.source for item in part], replaces=replaces)
        except _SPOILT as error:
            return self._without_spoilt(part, error, replaces=replaces)
        except IsocenterError as error:
            return self._not_taken(part, error, replaces=replaces)
        knowledge = self._service.knowledge
        knowledge.request_count_max = min(BATCH_INSTANCES_MAX, knowledge.request_count_max * 2)
        for item, result in zip(part, results, strict=True):
            self._settle(item, result, is_alone=len(part) == 1, replaces=replaces)
        return None

    def _without_spoilt(self, part: Sequence[_Item], error: IsocenterError, *, replaces: bool) -> _Refusal | None:
        """Report the instance that cannot be read, and send the others again."""
        rest: list[_Item] = []
        for item in part:
            if item.spoilt is None:
                rest.append(item)
            else:
                self._on_report(item.outgoing, fault_of_reading(item.spoilt), words_of(item.spoilt))
        if len(rest) == len(part):  # it was not raised by reading
            raise error
        return self._send_request(rest, replaces=replaces) if rest else None

    def _not_taken(self, part: Sequence[_Item], error: IsocenterError, *, replaces: bool) -> _Refusal | None:
        refusal = _Refusal(report_of(error), error.message)
        if refusal.status in UNAUTHORIZED and self._may_renew and self._service.renew is not None:
            self._may_renew = False
            self._service.renew()
            return self._send_request(part, replaces=replaces)
        knowledge = self._service.knowledge
        if refusal.status == TOO_LARGE:
            knowledge.request_size_max_bytes = max(1, sum(item.sent.size_bytes for item in part) // 2)
        if refusal.status in OF_REQUEST:
            return refusal
        if isinstance(refusal.report, TransportFailed) or refusal.status == FAULTY:
            knowledge.request_count_max = max(1, len(part) // 2)
        self._on_report(part[0].outgoing, refusal.report, refusal.detail)
        raise Over

    # ---- single instances

    def _refuse(self, item: _Item, refusal: _Refusal) -> None:
        """Report an instance whose request is refused though it is alone in it; once more in another syntax first."""
        if refusal.status not in (CONFLICT, UNSUPPORTED) or not self._is_sent_explicitly(item):
            self._on_report(item.outgoing, refusal.report, refusal.detail)

    def _is_sent_explicitly(self, item: _Item) -> bool:
        """Send an instance in implicit VR or big endian again in explicit VR; tell whether it was and is reported."""
        if item.sent is not item.outgoing or item.outgoing.transfer_syntax_uid not in _NEEDS_EXPLICIT:
            return False
        converted = self._converted(item.outgoing)
        refusal = None if converted is None else self._send_request([converted])
        if refusal is not None:
            self._on_report(item.outgoing, refusal.report, refusal.detail)
        return True

    def _settle(self, item: _Item, result: StoreResult, *, is_alone: bool, replaces: bool) -> None:
        """Report what an answer says of an instance; compare where it says that there is one already."""
        report = _report_of(result, is_alone=is_alone)
        verdict = judge(report).verdict
        if verdict is Verdict.DUPLICATE and not replaces:
            self._settle_duplicate(item, report, result)
            return
        if verdict is Verdict.DETERMINISTIC and self._is_sent_explicitly(item):
            return
        if verdict in (Verdict.DELIVERED, Verdict.NOTED) and item.sent is not item.outgoing:
            self._service.knowledge.takes_explicit_only = True
        self._on_report(item.outgoing, report, "; ".join(result.error_comments))

    def _settle_duplicate(self, item: _Item, report: Report, result: StoreResult) -> None:
        compared = self._compare(item)
        if not isinstance(compared, InstanceDiffers) or not self._service.can_replace:
            self._on_report(item.outgoing, compared or report, "; ".join(result.error_comments))
            return
        refusal = self._send_request([item], replaces=True)
        if refusal is not None:
            self._on_report(item.outgoing, refusal.report, refusal.detail)

    def _compare(self, item: _Item) -> Report | None:
        """Return what comparing with the service's copy came to, None where it could not be compared."""
        identifier = item.outgoing.identifier
        scope = Scope(identifier.study_instance_uid, identifier.series_instance_uid, identifier.sop_instance_uid)
        try:
            for theirs in self._service.client.retrieve(scope):
                is_same = is_same_instance(item.sent.read(), theirs.chunks)
                if is_same is None:
                    return None
                return InstanceIdentical() if is_same else InstanceDiffers()
        except InvalidDataset:
            return None
        except IsocenterError as error:
            report = report_of(error)
            return report if judge(report).verdict is Verdict.TRANSIENT else None
        return None


def _report_of(result: StoreResult, *, is_alone: bool) -> Report:
    """Return what an answer says of an instance that it names; a failure without a name is that of the only one."""
    if result.is_named:
        return report_of_result(result)
    if is_alone and result.failure_reason is not None:
        return InstanceFailed(result.failure_reason)
    return InstanceUnmentioned()
