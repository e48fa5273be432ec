"""C-MOVE and C-GET: from an identifier to instances on their way (PS3.4 C.4.2, C.4.3, routing-and-gateway 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isocenter.dicom.part10 import encoding_of
from isocenter.dimse.codec.retrieve import RetrieveModel, decode_retrieve_identifier
from isocenter.dimse.message.messages import CGetRq, CGetRsp, CMoveRq, CMoveRsp
from isocenter.dimse.message.statuses import NOT_AUTHORIZED
from isocenter.dimse.scp.final_status import FinalStatus
from isocenter.dimse.scp.get import send_back
from isocenter.dimse.scp.information_models import GET_MODELS, MOVE_MODELS
from isocenter.dimse.scp.move import Destination, move_to
from isocenter.dimse.scp.retrieval import still_counting
from isocenter.dimse.scp.suboperations import CANNOT_COUNT, COUNT_MAX, UNKNOWN_DESTINATION
from isocenter.dimse.scp.supply import Sendable, Supply
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.shell.dispatch import comment_of
from isocenter.dimse.shell.exchange import Exchange, Peer
from isocenter.dimse.shell.service import QUERY_TRANSFER_SYNTAX_UIDS, Service
from isocenter.dimse.ul.query_extensions import (
    RetrieveExtensions,
    decode_retrieve_extensions,
    encode_retrieve_extensions,
)
from isocenter.domain.application_entity import AeService, RemoteAe
from isocenter.domain.errors import InvalidAttributes, InvalidDataset, TooLarge, Unavailable

IDENTIFIER_DOES_NOT_MATCH = 0xA900
UNABLE_TO_PROCESS = 0xC000
"""PS3.4 tables C.4-2 and C.4-3."""
_EXTENSIONS = encode_retrieve_extensions(RetrieveExtensions(relational_retrieval=True))


class RetrieveProvider:
    """The retrieve services of a node."""

    def __init__(
        self,
        supply: Supply,
        opener: Opener,
        *,
        find_destination: Callable[[str], RemoteAe | None],
        store_associations_max: int = 1,
    ) -> None:
        self._supply = supply
        self._opener = opener
        self._find_destination = find_destination
        self._store_associations_max = store_associations_max

    def services(self) -> list[Service]:
        """Return the rows of the table of services."""
        return [
            Service(
                AeService.MOVE,
                frozenset(MOVE_MODELS),
                performs={CMoveRq: self._move},
                transfer_syntax_uids=QUERY_TRANSFER_SYNTAX_UIDS,
                extensions=_EXTENSIONS,
            ),
            Service(
                AeService.GET,
                frozenset(GET_MODELS),
                performs={CGetRq: self._get},
                transfer_syntax_uids=QUERY_TRANSFER_SYNTAX_UIDS,
                extensions=_EXTENSIONS,
            ),
        ]

    async def _get(self, exchange: Exchange, request: CGetRq, identifier: bytes | None) -> None:
        try:
            instances = await self._select(exchange, request, identifier, GET_MODELS)
        except FinalStatus as refusal:
            await exchange.respond(_get_refusal(request, refusal))
            return
        await send_back(self._supply, exchange, request, instances)

    async def _move(self, exchange: Exchange, request: CMoveRq, identifier: bytes | None) -> None:
        try:
            destination = self._destination(exchange.peer, request.move_destination)
            instances = await self._select(exchange, request, identifier, MOVE_MODELS)
        except FinalStatus as refusal:
            await exchange.respond(_move_refusal(request, refusal))
            return
        await move_to(self._supply, exchange, request, instances=instances, destination=destination)

    def _destination(self, caller: Peer, ae_title: str) -> Destination:
        remote = self._find_destination(ae_title)
        if remote is None:
            raise FinalStatus(UNKNOWN_DESTINATION, f"Unknown destination {ae_title}; add it to dicom.remotes.")
        if caller.remote is not None and not caller.remote.may_move_to(ae_title):
            raise FinalStatus(NOT_AUTHORIZED, f"{caller.ae_title} may not move to {ae_title}; see destinations=.")
        return Destination(remote, self._opener, remote.store_associations_max or self._store_associations_max)

    async def _select(
        self,
        exchange: Exchange,
        request: CMoveRq | CGetRq,
        identifier: bytes | None,
        models: Mapping[str, RetrieveModel],
    ) -> Sequence[Sendable]:
        context = exchange.context
        agreed = exchange.connection.agreed_extensions(context.abstract_syntax_uid)
        try:
            selection = decode_retrieve_identifier(
                identifier or b"",
                encoding_of(context.transfer_syntax_uid),
                models[context.abstract_syntax_uid],
                is_relational=decode_retrieve_extensions(agreed).relational_retrieval,
            )
            with still_counting(exchange, request):
                return await exchange.run(self._supply.select, exchange.peer.principal, selection, count_max=COUNT_MAX)
        except InvalidAttributes as error:
            raise FinalStatus(IDENTIFIER_DOES_NOT_MATCH, error.message, error.tags) from error
        except InvalidDataset as error:
            raise FinalStatus(UNABLE_TO_PROCESS, "The identifier cannot be read.") from error
        except (TooLarge, Unavailable) as error:
            raise FinalStatus(CANNOT_COUNT, error.message) from error


def _get_refusal(request: CGetRq, refusal: FinalStatus) -> CGetRsp:
    return CGetRsp(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=refusal.status,
        error_comment=comment_of(refusal.comment),
        offending_elements=refusal.tags,
    )


def _move_refusal(request: CMoveRq, refusal: FinalStatus) -> CMoveRsp:
    return CMoveRsp(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=refusal.status,
        error_comment=comment_of(refusal.comment),
        offending_elements=refusal.tags,
    )
