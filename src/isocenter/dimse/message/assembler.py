"""Put messages together from PDVs (PS3.7 6.3, PS3.8 annex E): the command whole, the data set piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isocenter.dimse.message.messages import Message, RefusalRsp
from isocenter.dimse.ul.pdu import Buffer, Pdv


@dataclass(frozen=True, slots=True)
class MessageBegun:
    """A command is complete; where no data set follows, so is the message."""

    context_id: int
    command: Message
    has_dataset: bool


@dataclass(frozen=True, slots=True)
class MessageUnusable:
    """A request that must be answered so and not performed; its data set is swallowed."""

    context_id: int
    answer: RefusalRsp


class DatasetFragment(NamedTuple):
    """A piece of the data set of the message that was begun last; the message ends with the last one."""

    context_id: int
    data: Buffer
    is_last: bool


MessageEvent = MessageBegun | MessageUnusable | DatasetFragment


class MessageAssembler:
    """Assemble the messages of one direction of an association."""

    def feed(self, pdv: Pdv) -> list[MessageEvent]:
        """Return what a PDV completes.

        Raises ProtocolViolation for what no peer may send; the association is to be aborted.
        """
        raise NotImplementedError
