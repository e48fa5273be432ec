"""Take what comes by C-GET, each instance into a file of its own, durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.app.fetching import FetchReport, read_identifier
from isocenter.app.instance_files import PartialFile, Written, instance_path, place
from isocenter.dicom.file_meta import write_file_head
from isocenter.dimse.message.messages import CStoreRq, CStoreRsp
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.scu.retrieve import Progress
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import Service
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.application_entity import AeService
from isocenter.domain.identifiers import InstanceIdentifier, Scope
from isocenter.domain.statuses import CANNOT_UNDERSTAND, OUT_OF_RESOURCES

OnProgress = Callable[[FetchReport], None]


@dataclass(slots=True)
class Taking:
    """Takes what comes by C-GET, each instance into a file of its own."""

    scope: Scope
    folder: Path
    report: FetchReport
    on_progress: OnProgress
    wanted: set[InstanceIdentifier] | None = None
    """What is still missing; None where it is not known."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why, by SOP Instance UID."""

    def service(self, sop_class_uids: frozenset[str]) -> Service:
        """Return the service that the peer stores to."""
        return Service(AeService.STORE, sop_class_uids, receives={CStoreRq: self._receive})

    def show(self, progress: Progress) -> None:
        """Show how far the peer is, where no search told what to expect."""
        if self.wanted is None:
            self.report.expected = max(self.report.expected, progress.total)
        self.on_progress(self.report)

    def note_end(self, told: str, progress: Progress) -> None:
        """Note that a retrieval did not end well, where that is not told of single instances."""
        if self.wanted is None and progress.failed:
            self.report.note_failure(
                f"{progress.failed:,} of {progress.total:,} instances", f"the peer ended with {told}"
            )

    def _receive(self, exchange: Exchange, request: CStoreRq) -> _Incoming:
        return _Incoming(self, exchange, request)

    def keep(self, partial: PartialFile) -> int:
        """Give what came the name that its own bytes tell, and return the status to answer with; runs in a thread."""
        identifier = read_identifier(partial.path)
        if identifier is None:
            return CANNOT_UNDERSTAND
        if not self._is_wanted(identifier):
            return SUCCESS
        if place(partial.path, instance_path(self.folder, identifier)) is Written.DIFFERENT:
            self._settle(identifier, "a file of that name is there, and other bytes came")
        else:
            self._settle(identifier, None)
            self.report.size_bytes += instance_path(self.folder, identifier).stat().st_size
        return SUCCESS

    def _is_wanted(self, identifier: InstanceIdentifier) -> bool:
        if self.wanted is not None:
            return identifier in self.wanted
        scope = self.scope
        return identifier.study_instance_uid == scope.study_instance_uid and (
            scope.series_instance_uid in (None, identifier.series_instance_uid)
            and scope.sop_instance_uid in (None, identifier.sop_instance_uid)
        )

    def _settle(self, identifier: InstanceIdentifier, failure: str | None) -> None:
        if self.wanted is not None:
            self.wanted.discard(identifier)
        if failure is None:
            self.report.written += 1
        else:
            self.report.note_failure(identifier.sop_instance_uid, failure)


class _Incoming:
    """One instance that comes: a data set, written behind the head of a file."""

    def __init__(self, taking: Taking, exchange: Exchange, request: CStoreRq) -> None:
        self._taking = taking
        self._exchange = exchange
        self._request = request
        self._failure: OSError | None = None
        self._partial: PartialFile | None = None
        head = write_file_head(
            sop_class_uid=request.affected_sop_class_uid,
            sop_instance_uid=request.affected_sop_instance_uid,
            transfer_syntax_uid=exchange.context.transfer_syntax_uid,
            source_ae_title=exchange.peer.ae_title,
        )
        self.write(head)

    def write(self, data: Buffer) -> None:
        """Write the next piece; once that failed, the rest is passed over."""
        if self._failure is not None:
            return
        try:
            if self._partial is None:
                self._partial = PartialFile(self._taking.folder)
            self._partial.write(data)
        except OSError as error:
            self._failure = error

    def end(self) -> None:
        """Make it durable, name it, and answer."""
        self._exchange.connection.spawn(self._finish())

    def abandon(self) -> None:
        """Remove what came of it."""
        if self._partial is not None:
            self._partial.discard()

    async def _finish(self) -> None:
        status = await self._exchange.run(self._keep)
        if self._failure is not None:
            reason = self._failure.strerror or "it cannot be written"
            self._taking.failed[self._request.affected_sop_instance_uid] = reason
        elif status != SUCCESS:
            self._taking.failed[self._request.affected_sop_instance_uid] = "what came is no instance that can be read"
        self._taking.on_progress(self._taking.report)
        answer = CStoreRsp(
            message_id_being_responded_to=self._request.message_id,
            affected_sop_class_uid=self._request.affected_sop_class_uid,
            affected_sop_instance_uid=self._request.affected_sop_instance_uid,
            status=status,
        )
        self._exchange.connection.respond(self._exchange, answer)

    def _keep(self) -> int:
        if self._failure is not None or self._partial is None:
            return OUT_OF_RESOURCES
        try:
            self._partial.finish()
            return self._taking.keep(self._partial)
        except OSError as error:
            self._failure = error
            return OUT_OF_RESOURCES
        finally:
            self._partial.discard()
