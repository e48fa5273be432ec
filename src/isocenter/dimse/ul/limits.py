"""What an association takes before it ends: sizes, counts and times, each with its reason.

A connection whose association is not accepted yet holds one A-ASSOCIATE PDU and what was decoded from it, which these
limits keep under two megabytes. Afterwards it holds no PDU at all: data leaves as it comes.
"""

from __future__ import annotations

from dataclasses import dataclass

PDU_LENGTH_MAX = 128 * 1024
"""To announce to peers. DCMTK and Orthanc send no larger ones; beyond it the cost per PDU no longer shows."""
PEER_PDU_LENGTH_MIN = 128
"""What a peer may announce at least: below it, more than a tenth of what is sent would be headers."""
ASSOCIATE_LENGTH_MAX = 256 * 1024
"""An A-ASSOCIATE PDU. 128 contexts of 40 transfer syntaxes each take 150 KB, a signed identity token some 20 KB."""
CONTEXTS_MAX = 128
"""There are no more odd numbers in a byte (PS3.8 9.3.2.2)."""
ITEMS_MAX = 256
"""Of an A-ASSOCIATE PDU: the contexts, the two items that stand once, and room for what the standard may add."""
CONTEXT_ITEMS_MAX = 128
"""Of one context: its transfer syntaxes. The standard knows some sixty; nobody has need to name one twice."""
SUB_ITEMS_MAX = 1024
"""Of the user information: three kinds at most repeat, once for each of the contexts' abstract syntaxes."""
RELATED_CLASSES_MAX = 128
"""Of one common extended negotiation; real SOP classes have one or two."""
UID_LENGTH_MAX = 64
"""PS3.5 9.1."""
PDVS_PER_PDU_MAX = 1024
"""Senders put one or two into a PDU; each costs an event."""


@dataclass(frozen=True, slots=True)
class AssociationLimits:
    """The limits that differ from node to node. The length of P-DATA-TF PDUs is held to what was announced."""

    associate_length_max: int = ASSOCIATE_LENGTH_MAX
    artim_timeout_s: float = 30.0
    """For the request to come, and for the peer to close (PS3.8 9.1.5)."""
    request_timeout_s: float = 60.0
    """For the answer to our request of an association or of its release."""
    idle_timeout_s: float | None = 360.0
    """Without a byte in either direction; longer than the pauses of a modality between two images."""


DEFAULT_LIMITS = AssociationLimits()
