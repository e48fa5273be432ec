"""Send the instances of a series to another AE, and tell of each what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from isocenter.app.dimse_peer import DimsePeer
from isocenter.app.migrating.ends import Sent, StagedFile
from isocenter.app.outgoing_files import OutgoingFile, iter_converted, iter_dataset, look_into
from isocenter.app.part10_files import FoundFile
from isocenter.dimse.message.statuses import SUCCESS
from isocenter.dimse.scu.client import Opener
from isocenter.dimse.scu.context_plan import choose_context, plan_contexts
from isocenter.dimse.scu.requests import describe_refusal
from isocenter.dimse.scu.status_texts import describe_status
from isocenter.dimse.scu.store import store
from isocenter.dimse.shell.connection import Connection
from isocenter.dimse.ul.pdu import Buffer
from isocenter.domain.errors import InvalidDataset, NotAcceptable
from isocenter.ports.frame_decoder import FrameDecoder
from isocenter.routing.deliveries.report import ContextRefused, DimseAnswered, LocalFailed, LocalFault

_ABSTRACT_SYNTAX_NOT_SUPPORTED, _TRANSFER_SYNTAXES_NOT_SUPPORTED = 3, 4


async def send_files(opener: Opener, peer: DimsePeer, files: Sequence[StagedFile], decoder: FrameDecoder) -> list[Sent]:
    """Send files over as many associations as their kinds need; raises where an association is refused or breaks."""
    sent: list[Sent] = []
    looked: list[OutgoingFile] = []
    for file in files:
        try:
            looked.append(await opener.runtime.run(look_into, _found(file)))
        except (InvalidDataset, OSError):
            sent.append(Sent(file.sop_instance_uid, LocalFailed(LocalFault.INSTANCE_CORRUPT)))
    for plan in plan_contexts(dict.fromkeys(one.kind for one in looked)):
        covered = [one for one in looked if plan.covers(one.kind)]
        async with opener.association(peer.remote, plan.contexts) as association:
            sent += [await _send(opener, association, one, decoder) for one in covered]
    return sent


def _found(file: StagedFile) -> FoundFile:
    status = os.stat(file.path)
    return FoundFile(str(file.path), status.st_size, status.st_mtime_ns)


async def _send(opener: Opener, association: Connection, outgoing: OutgoingFile, decoder: FrameDecoder) -> Sent:
    uid, kind = outgoing.sop_instance_uid, outgoing.kind
    context = choose_context(association.contexts, kind)
    if context is None:
        is_class_refused = all(
            one.refusal == "abstract syntax not supported"
            for one in association.record.contexts
            if one.abstract_syntax_uid == kind.sop_class_uid
        )
        result = _ABSTRACT_SYNTAX_NOT_SUPPORTED if is_class_refused else _TRANSFER_SYNTAXES_NOT_SUPPORTED
        return Sent(uid, ContextRefused(result), describe_refusal(association, kind.sop_class_uid))
    try:
        if context.transfer_syntax_uid == kind.transfer_syntax_uid:
            pieces: Iterator[Buffer] = iter_dataset(outgoing)
        else:
            pieces = await opener.runtime.run(iter_converted, outgoing, context.transfer_syntax_uid, decoder)
        answer = await store(association, context, pieces, sop_instance_uid=uid)
    except (NotAcceptable, InvalidDataset) as error:
        return Sent(uid, LocalFailed(LocalFault.CANNOT_TRANSCODE), error.message)
    except OSError:
        return Sent(uid, LocalFailed(LocalFault.INSTANCE_GONE))
    told = "" if answer.status == SUCCESS else describe_status(answer)
    return Sent(uid, DimseAnswered(answer.status), told)
