"""C-FIND: answers as they are found, as fast as the requestor takes them, until it cancels (PS3.4 C.4.1).

What a request asks for, and what an answer holds, is the business of `prepare`, which reads the index. It is called and
iterated by a thread, a few answers at a time; while they are sent the next are found, and no more than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from isocenter.dicom.model import Encoding
from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.retrieve import RetrieveModel
from isocenter.dimse.message.messages import CFindRq, CFindRsp
from isocenter.dimse.message.statuses import CANCEL, PENDING, PENDING_WITH_WARNING, SUCCESS
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.information_models import FIND_MODELS
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS, Service
from isocenter.dimse.ul.query_extensions import FindExtensions, decode_find_extensions, encode_find_extensions
from isocenter.domain.application_entity import AeService
from isocenter.domain.errors import InvalidAttributes, InvalidDataset, InvalidRequest, TooLarge
from isocenter.domain.principal import Principal
from isocenter.domain.statuses import OUT_OF_RESOURCES

IDENTIFIER_DOES_NOT_MATCH = 0xA900
UNABLE_TO_PROCESS = 0xC000
"""PS3.4 table C.4-1."""
FIRST_ANSWERS = 16
"""Found before anything is sent: few, so that the first comes soon, and all there are of most requests."""
ANSWERS_AT_ONCE = 128
"""Then found by a thread at a time: some ten milliseconds, and some hundred kilobytes on their way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is understood, by whom, and in which words it is answered."""

    principal: Principal
    identifier: bytes
    encoding: Encoding
    model: RetrieveModel
    extensions: FindExtensions
    ae_title: str
    """Ours, under which what is found can be retrieved."""
    is_cancelled: Callable[[], bool] = lambda: False
    """Tell whether the requestor wants no more, for what takes long to find; may be asked by any thread."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answers to a request: identifiers, encoded, each found when it is asked for."""

    answers: Iterator[bytes]
    has_unmatched_keys: bool = False
    """An optional key was asked for that is not matched here (PS3.4 C.4.1.1.4, status FF01)."""


Prepare = Callable[[Asked], Finding]
"""Called by a thread. Raises InvalidAttributes, InvalidRequest or InvalidDataset for what cannot be asked.

It, and the answers as they are taken, may raise TooLarge or FinalStatus; what was found until then has been sent.
"""


class FindProvider:
    """The query services of a node."""

    def __init__(self, prepare: Prepare, *, ae_title: str, supported: FindExtensions) -> None:
        self._prepare = prepare
        self._ae_title = ae_title
        self._extensions = encode_find_extensions(supported)

    def service(self) -> Service:
        """Return the row of the table of services."""
        return Service(
            AeService.FIND,
            frozenset(FIND_MODELS),
            performs={CFindRq: self._find},
            transfer_syntax_uids=QUERY_TRANSFER_SYNTAX_UIDS,
            extensions=self._extensions,
        )

    async def _find(self, exchange: Exchange, request: CFindRq, identifier: bytes | None) -> None:
        try:
            await self._answer(exchange, request, identifier or b"")
        except InvalidAttributes as error:
            await exchange.respond(find_refusal(request, IDENTIFIER_DOES_NOT_MATCH, error.message, error.tags))
        except InvalidRequest as error:
            await exchange.respond(find_refusal(request, IDENTIFIER_DOES_NOT_MATCH, error.message))
        except InvalidDataset:
            await exchange.respond(find_refusal(request, UNABLE_TO_PROCESS, "The identifier cannot be read."))
        except FinalStatus as end:
            await exchange.respond(find_refusal(request, end.status, end.comment, end.tags))
        except TooLarge as error:
            await exchange.respond(find_refusal(request, OUT_OF_RESOURCES, error.message))

    async def _answer(self, exchange: Exchange, request: CFindRq, identifier: bytes) -> None:
        finding, batch = await exchange.run(self._begin, self._asked(exchange, identifier))
        pending = find_response(request, PENDING_WITH_WARNING if finding.has_unmatched_keys else PENDING)
        if batch.is_last and batch.end is None and not exchange.is_cancelled:  # that was all: one write
            final = find_response(request, SUCCESS)
            exchange.connection.respond_all(exchange, pending, batch.answers, final=final)
            return
        await _stream(exchange, pending, finding.answers, batch)
        await exchange.respond(find_response(request, CANCEL if exchange.is_cancelled else SUCCESS))

    def _asked(self, exchange: Exchange, identifier: bytes) -> Asked:
        context = exchange.context
        agreed = exchange.connection.agreed_extensions(context.abstract_syntax_uid)
        return Asked(
            principal=exchange.peer.principal,
            identifier=identifier,
            encoding=encoding_of(context.transfer_syntax_uid),
            model=FIND_MODELS[context.abstract_syntax_uid],
            extensions=decode_find_extensions(agreed),
            ae_title=self._ae_title,
            is_cancelled=lambda: exchange.is_cancelled,
        )

    def _begin(self, asked: Asked) -> tuple[Finding, _Batch]:
        finding = self._prepare(asked)
        return finding, _take(finding.answers, FIRST_ANSWERS)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some answers, and why there are no more of them where that is no good end."""

    answers: list[bytes]
    is_last: bool
    end: FinalStatus | TooLarge | None = None


async def _stream(exchange: Exchange, pending: CFindRsp, answers: Iterator[bytes], batch: _Batch) -> None:
    """Send answers until there are no more or the requestor cancels, finding the next while some are sent."""
    while True:
        is_done = batch.is_last
        following = None if is_done else asyncio.ensure_future(exchange.run(_take, answers, ANSWERS_AT_ONCE))
        try:
            for answer in batch.answers:
                if exchange.is_cancelled:
                    return
                await exchange.respond(pending, [answer])
        finally:
            if following is not None:
                await asyncio.wait([following])
        if batch.end is not None and not exchange.is_cancelled:
            raise batch.end
        if following is None:
            return
        batch = following.result()


def _take(answers: Iterator[bytes], count: int) -> _Batch:
    found: list[bytes] = []
    try:
        for answer in islice(answers, count):
            found.append(answer)  # noqa: PERF402 - what was found before it breaks off is sent
    except (FinalStatus, TooLarge) as end:
        return _Batch(found, is_last=True, end=end)
    return _Batch(found, is_last=len(found) < count)


def find_response(request: CFindRq, status: int) -> CFindRsp:
    """Return a response with nothing but its status."""
    return CFindRsp(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=status,
    )


def find_refusal(request: CFindRq, status: int, comment: str, tags: tuple[int, ...] = ()) -> CFindRsp:
    """Return the response to a request that is refused, with the attributes at fault."""
    return CFindRsp(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=status,
        error_comment=comment_of(comment),
        offending_elements=tags,
    )
