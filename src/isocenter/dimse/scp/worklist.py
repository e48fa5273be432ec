"""C-FIND of the modality work list: answer who asks for work (PS3.4 K.4.1.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from isocenter.archive.worklist import find_steps, iter_pages
from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.worklist import WorklistRequest, decode_worklist_request, encode_worklist_answer
from isocenter.dimse.message.messages import CFindRq
from isocenter.dimse.message.statuses import CANCEL, PENDING, PENDING_WITH_WARNING, SUCCESS
from isocenter.dimse.scp.find import (
    IDENTIFIER_DOES_NOT_MATCH,
    UNABLE_TO_PROCESS,
    find_refusal,
    find_response,
)
from isocenter.dimse.scu.errors import RequestFailed
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS, Service
from isocenter.domain.application_entity import AeService
from isocenter.domain.errors import InvalidAttributes, InvalidDataset, Unavailable
from isocenter.domain.statuses import OUT_OF_RESOURCES
from isocenter.domain.worklist import LISTED_STATES, LeavesWhen, WorklistEntry
from isocenter.ports.worklist import Worklist

MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
FIRST_PAGE_COUNT = 16
PAGE_COUNT = 128
"""Entries that a thread encodes at once: some ten milliseconds. The first are few, so that an answer comes soon."""


class Upstream(Protocol):
    """Another AE that keeps the work list, and whose answers are kept here while it is away."""

    @property
    def source(self) -> str:
        """Return what items of it have as their source here."""
        ...

    async def ask(self, identifier: bytes, encoding: Encoding) -> list[WorklistEntry] | None:
        """Return what it answers to an identifier.

        None where it is away: what it answered lately is in the work list. Raises Unavailable where nothing is,
        RequestFailed where it does not want to be asked this.
        """
        ...


class WorklistProvider:
    """The work list service of a node."""

    def __init__(
        self,
        worklist: Worklist,
        *,
        steps_leave: LeavesWhen = LeavesWhen.COMPLETED,
        upstream: Upstream | None = None,
    ) -> None:
        """With an upstream, what that answers comes first, and then what is kept here besides."""
        self._upstream = upstream
        self._worklist = worklist
        self._states = LISTED_STATES[steps_leave]

    def service(self) -> Service:
        """Return the row of the table of services."""
        return Service(
            AeService.WORKLIST,
            frozenset({MODALITY_WORKLIST_FIND}),
            performs={CFindRq: self._find},
            transfer_syntax_uids=QUERY_TRANSFER_SYNTAX_UIDS,
        )

    async def _find(self, exchange: Exchange, request: CFindRq, identifier: bytes | None) -> None:
        encoding = encoding_of(exchange.context.transfer_syntax_uid)
        try:
            asked = decode_worklist_request(identifier or b"", encoding, states=self._states)
        except InvalidAttributes as error:
            await exchange.respond(find_refusal(request, IDENTIFIER_DOES_NOT_MATCH, error.message, error.tags))
            return
        except InvalidDataset as error:
            await exchange.respond(find_refusal(request, UNABLE_TO_PROCESS, error.message))
            return
        passed: list[WorklistEntry] | None = None
        if self._upstream is not None and not asked.asks_for_nothing:
            try:
                passed = await self._upstream.ask(identifier or b"", encoding)
            except Unavailable as error:
                await exchange.respond(find_refusal(request, OUT_OF_RESOURCES, error.message))
                return
            except RequestFailed as error:
                await exchange.respond(find_refusal(request, error.status, error.message))
                return
        status = PENDING_WITH_WARNING if asked.has_unmatched_keys else PENDING
        async for answer in self._answers(exchange, asked, passed):
            if exchange.is_cancelled:
                break
            await exchange.respond(find_response(request, status), [answer])
        await exchange.respond(find_response(request, CANCEL if exchange.is_cancelled else SUCCESS))

    async def _answers(
        self, exchange: Exchange, asked: WorklistRequest, passed: Sequence[WorklistEntry] | None
    ) -> AsyncIterator[bytes]:
        if asked.asks_for_nothing:
            return
        encoding = encoding_of(exchange.context.transfer_syntax_uid)
        for entry in passed or ():
            yield encode_worklist_answer(asked, entry, encoding)
        left_out = "" if passed is None or self._upstream is None else self._upstream.source
        for page in _pages(await exchange.run(find_steps, self._worklist, exchange.peer.principal, asked.query)):
            for answer in await exchange.run(self._encode, exchange, asked, page, left_out):
                yield answer

    def _encode(self, exchange: Exchange, asked: WorklistRequest, page: Sequence[int], left_out: str) -> list[bytes]:
        """Return the answers of a page; what came from the source `left_out` was answered already."""
        encoding = encoding_of(exchange.context.transfer_syntax_uid)
        pages = iter_pages(self._worklist, exchange.peer.principal, page)
        return [
            encode_worklist_answer(asked, entry, encoding)
            for entries in pages
            for entry in entries
            if not left_out or entry.source != left_out
        ]


def _pages(step_keys: Sequence[int]) -> Iterator[Sequence[int]]:
    yield from ([step_keys[:FIRST_PAGE_COUNT]] if step_keys else [])
    for start in range(FIRST_PAGE_COUNT, len(step_keys), PAGE_COUNT):
        yield step_keys[start : start + PAGE_COUNT]
