"""Send instances to a DICOMweb service by STOW-RS: in requests of a few megabytes, halved where one spoils the others.

    batch ──▶ requests by size ──▶ answer ──▶ each instance that it names
                  ▲                  └─▶ refused as a whole ──▶ halves, down to those at fault
                  └── smaller where the service loses connections or calls them too large

An instance is stored when the answer lists it as stored, and not because the request went well.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from isocenter.app.senders.stow_batch import Over, Service, StowBatch
from isocenter.app.web_report import report_of
from isocenter.domain.errors import IsocenterError
from isocenter.domain.identifiers import Level
from isocenter.routing.deliveries.report import HttpAnswered, Report
from isocenter.routing.deliveries.sender import OnReport, Outgoing

ANSWERS_ALL_THE_SAME = frozenset({400, 405, 406, 501})
"""A probe that is answered so was understood: the service searches otherwise, or not at all."""


class WebSender:
    """Sends to one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def send(self, batch: Sequence[Outgoing], on_report: OnReport) -> None:
        """Send instances and report each as soon as an answer names it."""
        with ExitStack() as stack:
            sending = StowBatch(self._service, on_report, stack)
            waiting = list(batch)
            try:
                while waiting:
                    part, waiting = self._next_request(waiting)
                    sending.send(part)
            except Over:  # nothing that is left would fare better
                return

    def _next_request(self, waiting: Sequence[Outgoing]) -> tuple[list[Outgoing], list[Outgoing]]:
        """Return what goes into the next request, and what is left."""
        knowledge = self._service.knowledge
        size_max_bytes = knowledge.request_size_max_bytes or self._service.target.batch_size_bytes
        size_bytes = 0
        for number, outgoing in enumerate(waiting):
            size_bytes += outgoing.size_bytes
            if number and (size_bytes > size_max_bytes or number == knowledge.request_count_max):
                return list(waiting[:number]), list(waiting[number:])
        return list(waiting), []

    def probe(self) -> Report | None:
        """Search for one study; return what came of it, None where the service answers."""
        try:
            self._service.client.search(Level.STUDY, [("limit", "1")])
        except IsocenterError as error:
            report = report_of(error)
            is_answer = isinstance(report, HttpAnswered) and report.status in ANSWERS_ALL_THE_SAME
            return None if is_answer else report
        return None

    def close(self) -> None:
        """Let go of the connections."""
        self._service.client.close()
