"""C-ECHO: answer that we are here (PS3.4 annex A)."""

from __future__ import annotations

from isocenter.dimse.message.messages import CEchoRq, CEchoRsp
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.shell.exchange import Exchange
from isocenter.dimse.shell.service import Service
from isocenter.domain.application_entity import AeService

VERIFICATION = "1.2.840.10008.1.1"


def echo_service() -> Service:
    """Return the verification service."""
    return Service(AeService.ECHO, frozenset({VERIFICATION}), performs={CEchoRq: _echo})


async def _echo(exchange: Exchange, request: CEchoRq, dataset: bytes | None) -> None:
    answer = CEchoRsp(
        message_id_being_responded_to=request.message_id,
        affected_sop_class_uid=request.affected_sop_class_uid,
        status=SUCCESS,
    )
    await exchange.respond(answer)
