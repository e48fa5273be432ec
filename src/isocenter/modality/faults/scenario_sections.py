"""The tables of a scenario as lists of keys: one list to read by and to document by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isocenter.domain.errors import InvalidRequest
from isocenter.modality.faults.link import Endpoint, LinkProtocol, parse_endpoint
from isocenter.modality.faults.scenario import (
    AddsUp,
    AfterAcknowledged,
    AfterCounter,
    AllAcknowledged,
    Comparison,
    CounterPlan,
    DuplicatesAtMost,
    LoadPlan,
    NothingLost,
    ProcessAction,
    ProcessPlan,
    Reached,
    RecoveredWithin,
    StaysAtMost,
)
from isocenter.routing.configuration.kinds import (
    AE_ENDPOINT,
    BOOLEAN,
    DURATION,
    LINE,
    NAME,
    NAMES,
    SIZE,
    TEXT,
    URL,
    VALUE_TABLE,
    Kind,
    choice,
    integer,
    list_of,
    number,
)
from isocenter.routing.configuration.section import Key, Section

INSTANCES_MAX = 1_000_000
DURATION_MAX_DEFAULT_S = 120.0
_NUMBER_MAX = 1e12
_AFTER_ACKNOWLEDGED = re.compile(r"(\d{1,9}|all) instances? acknowledged", re.ASCII)
_AFTER_COUNTER = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(>=|<=|=)\s*(\d{1,12}(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """What stands at the head of a scenario."""

    name: str
    description: str = ""
    duration_max_s: float = DURATION_MAX_DEFAULT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTable:
    """A link as it is written."""

    listen: Endpoint
    target: Endpoint
    protocol: LinkProtocol = LinkProtocol.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTable:
    """A step as it is written; `set` is read by itself."""

    at_s: float | None = None
    wait_s: float | None = None
    after: AfterAcknowledged | AfterCounter | None = None
    link: str = ""
    clears: bool = False
    for_s: float | None = None
    process: str = ""
    do: ProcessAction | None = None


def _endpoint(raw: object) -> Endpoint:
    if not isinstance(raw, str):
        raise ValueError
    try:
        return parse_endpoint(raw)
    except InvalidRequest as error:
        raise ValueError from error


def _after(raw: object) -> AfterAcknowledged | AfterCounter:
    text = raw.strip() if isinstance(raw, str) else ""
    if (found := _AFTER_ACKNOWLEDGED.fullmatch(text)) is not None:
        return AfterAcknowledged(None if found[1] == "all" else int(found[1]))
    if (found := _AFTER_COUNTER.fullmatch(text)) is not None:
        return AfterCounter(found[1], Comparison(found[2]), float(found[3]))
    raise ValueError


ENDPOINT = Kind('"HOST:PORT"', _endpoint, str)
_AFTER = Kind('"120 instances acknowledged", "all instances acknowledged" or "COUNTER >= 50"', _after)
_COMMAND = list_of(LINE, expected='a list of texts such as ["isocenter", "serve"]')
_URLS = list_of(URL, expected="a list of addresses, for example that of `/v2` of a node")
_VALUE = number(0, _NUMBER_MAX)

TOP = Section(
    Top,
    (
        Key("name", LINE, "What it is called."),
        Key("description", TEXT, "What it shows, for people."),
        Key("duration_max", DURATION, "It ends after so long, whatever has happened.", field="duration_max_s"),
    ),
)
PROCESS = Section(
    ProcessPlan,
    (
        Key("command", _COMMAND, "Program and arguments; `isocenter` is the one that plays the scenario."),
        Key("ready", LINE, "An address that answers 200, or HOST:PORT that takes connections, once it is ready."),
        Key("started", BOOLEAN, "Whether it runs from the beginning, or a step starts it.", field="is_started"),
        Key("environment", VALUE_TABLE, "Variables beside those of whoever plays the scenario."),
        Key("volume", TEXT, "A folder that becomes a volume of its own, in memory, for this process; it ends with it."),
        Key("volume_size", SIZE, "How large that is.", field="volume_size_bytes"),
    ),
)
LINK = Section(
    LinkTable,
    (
        Key("listen", ENDPOINT, "Where others connect to."),
        Key("target", ENDPOINT, "Where that leads."),
        Key("protocol", choice(LinkProtocol), "What is looked into; tcp takes any protocol, encrypted or not."),
    ),
)
COUNTER = Section(
    CounterPlan,
    (
        Key("url", LINE, "Where JSON comes from."),
        Key("path", TEXT, "The number in it: keys and positions joined by dots; `*` adds up whatever is there."),
    ),
)
LOAD = Section(
    LoadPlan,
    (
        Key("to", AE_ENDPOINT, "Who is sent to."),
        Key("calling", NAME, "Under which AE title.", field="calling_ae_title"),
        Key("instances", integer(1, INSTANCES_MAX), "How many."),
        Key("studies", integer(1, INSTANCES_MAX), "In so many studies."),
        Key("size", SIZE, "About how large each is.", field="size_bytes"),
        Key("instances_per_s", number(0, 100_000), "How fast; 0 for as fast as it can."),
        Key("seed", integer(0, 2**31), "Another seed makes other instances."),
    ),
    help="A modality sends these by C-STORE, and sends again what was not acknowledged.",
)
STEP = Section(
    StepTable,
    (
        Key("at", DURATION, "So long after the load began.", field="at_s"),
        Key("wait", DURATION, "So long after the step before.", field="wait_s"),
        Key("after", _AFTER, "Once that is so."),
        Key("link", NAME, "The link that is meant."),
        Key("clear", BOOLEAN, "Clear all faults of the link.", field="clears"),
        Key("for", DURATION, "The fault is cleared after so long.", field="for_s"),
        Key("process", NAME, "The process that is meant."),
        Key("do", choice(ProcessAction), "What is done to the process."),
    ),
)
EXPECTATIONS = (
    Section(
        NothingLost,
        (Key("archives", _URLS, "DICOMweb roots of the archives."),),
        kind="nothing-lost",
        help="Every acknowledged instance is in every archive.",
    ),
    Section(
        DuplicatesAtMost,
        (
            Key("count", integer(0, INSTANCES_MAX), "So many at most."),
            Key("link", NAME, "Counted on this DIMSE link: instances sent again."),
            Key("archive", URL, "Counted in the change feed below this root: instances stored again."),
        ),
        kind="duplicates-at-most",
        help="What came more than once.",
    ),
    Section(
        RecoveredWithin,
        (
            Key("counter", NAME, "Which."),
            Key("time", DURATION, "After the last step, or the end of its fault.", field="time_s"),
            Key("value", _VALUE, "At most this, from then on."),
        ),
        kind="recovered-within",
        help="A counter is back for good.",
    ),
    Section(
        AddsUp,
        (Key("whole", NAME, "The counter."), Key("parts", NAMES, "Those that it is the sum of.")),
        kind="adds-up",
        help="In every sample a counter is the sum of others.",
    ),
    Section(
        Reached,
        (Key("counter", NAME, "Which."), Key("value", _VALUE, "At least this, once.")),
        kind="reached",
        help="The outage was one.",
    ),
    Section(
        StaysAtMost,
        (Key("counter", NAME, "Which."), Key("value", _VALUE, "Never more than this.")),
        kind="stays-at-most",
        help="The outage is no business of this counter: a destination that is well is not delayed by one that is not.",
    ),
    Section(
        AllAcknowledged,
        (Key("within", DURATION, "Each so long after its first try; without it, in any time.", field="within_s"),),
        kind="all-acknowledged",
        help="The modality got rid of every instance.",
    ),
)
