"""What all requests of ours have in common: a context to send them on, and a final status to judge."""

from __future__ import annotations

from isocenter.dicom.dictionary import uid_name
from isocenter.dimse.message.messages import Response
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.scu.client import find_context
from isocenter.dimse.scu.errors import ContextRefused, RequestFailed
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.shell.record import ContextRecord
from isocenter.dimse.ul.contexts import AcceptedContext

_REFUSALS = {
    "abstract syntax not supported": "it does not offer this service there",
    "transfer syntaxes not supported": "it takes none of these transfer syntaxes: {syntaxes}",
    "user rejection": "it refuses it to {calling!r}; allow it there",
    "no reason": "it gives no reason",
}
"""By result (PS3.8 table 9-18), in the words of the register of associations."""


def require_context(
    association: Connection, abstract_syntax_uid: str, *, transfer_syntax_uid: str | None = None
) -> AcceptedContext:
    """Return the context for a request; raises ContextRefused where the peer accepted none."""
    context = find_context(association.contexts, abstract_syntax_uid, transfer_syntax_uid=transfer_syntax_uid)
    if context is None:
        raise ContextRefused(describe_refusal(association, abstract_syntax_uid))
    return context


def describe_refusal(association: Connection, abstract_syntax_uid: str) -> str:
    """Say in a sentence why the peer accepted no context for a SOP class, and what it was offered."""
    record = association.record
    refused = [context for context in record.contexts if context.abstract_syntax_uid == abstract_syntax_uid]
    reasons = dict.fromkeys(_reason(context, refused, record.calling_ae_title) for context in refused)
    name = named(abstract_syntax_uid)
    return f"{record.called_ae_title} accepts no context for {name}: {'; '.join(reasons) or 'none was proposed'}."


def _reason(context: ContextRecord, refused: list[ContextRecord], calling_ae_title: str) -> str:
    if context.refusal is None:
        return "it does not play the role that is needed"
    syntaxes = dict.fromkeys(uid for each in refused for uid in each.transfer_syntax_uids)
    text = _REFUSALS.get(context.refusal, context.refusal)
    return text.format(calling=calling_ae_title, syntaxes=", ".join(map(named, syntaxes)))


def named(uid: str) -> str:
    """Return a UID with its name, where the standard gives it one."""
    name = uid_name(uid)
    return uid if name is None else f"{name} ({uid})"


def require_success(association: Connection, response: Response) -> None:
    """Raise RequestFailed unless a response tells success."""
    if response.status != SUCCESS:
        raise request_failed(association, response)


def request_failed(association: Connection, response: Response) -> RequestFailed:
    """Return the error that a response means."""
    told = describe_status(response)
    return RequestFailed(f"{association.record.called_ae_title} answers {told}.", status=response.status)
