"""C-ECHO: ask another AE whether it is there (PS3.4 annex A)."""

from __future__ import annotations

from isocenter.dimse.message.messages import CEchoRq
from isocenter.dimse.scu.requests import require_context, require_success
from isocenter.dimse.shell.connection import Connection

VERIFICATION = "1.2.840.10008.1.1"


async def echo(association: Connection) -> None:
    """Verify an association; raises ContextRefused, RequestFailed, AssociationOver."""
    context = require_context(association, VERIFICATION)
    answer = await association.invoke(context.context_id, CEchoRq(message_id=association.next_message_id()))
    require_success(association, answer.response)
