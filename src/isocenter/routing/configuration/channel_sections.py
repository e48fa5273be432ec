"""The tables of channels and rules."""

from __future__ import annotations

from isocenter.domain.delivery import Priority
from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.channel import (
    Acknowledgement,
    AfterReading,
    Channel,
    DimseSource,
    FeedSource,
    FolderSource,
    ScheduleSource,
    StowSource,
)
from isocenter.routing.configuration.section import Key, Section
from isocenter.routing.rules.decide import After, Rule, WaitFor

_ACKNOWLEDGE = Key(
    "acknowledge",
    kinds.choice(Acknowledgement),
    "When the sender is told that an instance is stored: when it is durable here, or when every destination has it.",
)
SOURCES = (
    Section(
        DimseSource,
        (
            Key("listen", kinds.AE_ENDPOINT, "Title, address and port of the listener."),
            _ACKNOWLEDGE,
            Key("callers", kinds.AE_TITLES, "Who may use it; without it, everybody whom the node lets in."),
            Key(
                "tls",
                kinds.BOOLEAN,
                "Whether TLS is spoken there, as `dicom.tls_…` say.",
                field="uses_tls",
            ),
        ),
        kind="dimse",
        help="A listener for DICOM associations of its own.",
    ),
    Section(StowSource, (_ACKNOWLEDGE,), kind="stow", help="Store requests (STOW-RS) to the channel's own address."),
    Section(
        FolderSource,
        (
            Key("path", kinds.LINE, "The folder that is watched."),
            Key("pattern", kinds.LINE, "Of file names, with `*` and `?`."),
            Key("settle", kinds.DURATION, "A file is taken when it has not changed for so long.", field="settle_s"),
            Key("after", kinds.choice(AfterReading), "What becomes of a file that was taken in."),
            Key("moved_to", kinds.LINE, "The folder that files are moved to."),
        ),
        kind="folder",
        help="Files that appear in a folder.",
    ),
    Section(
        FeedSource,
        (Key("partition", kinds.NAME, "Only of this partition of the archive."),),
        kind="feed",
        help="Everything that the node's own archive stores.",
    ),
    Section(
        ScheduleSource,
        (
            Key("at", kinds.MOMENTS, "Times of the week at which it looks into the archive."),
            Key(
                "received_within",
                kinds.DURATION,
                "What the archive received so long before is taken.",
                field="received_within_s",
            ),
        ),
        kind="schedule",
        help="At certain times, what the node's own archive has received lately.",
    ),
)
"""By `kind`."""

RULE = Section(
    Rule,
    (
        Key("name", kinds.LINE, "How it is called in records; each name once in a channel."),
        Key("when", kinds.CONDITION, "The condition; without it the rule matches everything."),
        Key("otherwise", kinds.BOOLEAN, "Asked only where no rule before matched.", field="is_otherwise"),
        Key("to", kinds.NAMES, "Destinations; none: what matches is not sent, on purpose."),
        Key("transforms", kinds.NAMES, "Transforms in the order in which they are applied."),
        Key("priority", kinds.choice(Priority), "The class of traffic; more urgent ones go first."),
        Key(
            "wait_for",
            kinds.choice(WaitFor),
            "Whether what matches goes out at once, or with the rest of its study when that is whole, after a day at "
            "the latest.",
        ),
        Key("then", kinds.choice(After), "Whether the next rule is asked after a match.", field="after"),
    ),
)

CHANNEL = Section(
    Channel,
    (
        Key("description", kinds.TEXT, "For people."),
        Key("started", kinds.BOOLEAN, "Whether it runs from the start of the node on.", field="is_started"),
    ),
)
"""Without its source and rules, which have tables of their own."""
