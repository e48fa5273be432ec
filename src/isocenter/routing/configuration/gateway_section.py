"""The table of gateways."""

from __future__ import annotations

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.gateway import Gateway
from isocenter.routing.configuration.section import Key, Section

GATEWAY = Section(
    Gateway,
    (
        Key("description", kinds.TEXT, "For people."),
        Key("upstream", kinds.NAME, "The destination, of kind dimse, that is asked and that takes what is stored."),
        Key(
            "listen",
            kinds.AE_ENDPOINT,
            "Title, address and port under which the archive moves instances to the node; without it they come by "
            "C-GET. The archive must know this title.",
        ),
        Key("prefers_move", kinds.BOOLEAN, "Whether it is asked to move instances though it offers C-GET."),
        Key("keep", kinds.DURATION, "How long what was fetched is kept after it was last asked for.", field="keep_s"),
    ),
    help="A DICOMweb root of the node, `/gateways/NAME`, that answers from an archive that speaks only DIMSE.",
)
