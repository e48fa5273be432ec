"""The page of the reference about channels: their configuration, key by key, and the language of conditions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from isocenter.routing.configuration.channel_sections import CHANNEL, RULE, SOURCES
from isocenter.routing.configuration.destination_sections import (
    AUTHENTICATIONS,
    BREAKER,
    DESTINATION,
    LIMIT,
    RETRY,
    TARGETS,
)
from isocenter.routing.configuration.gateway_section import GATEWAY
from isocenter.routing.configuration.prefetch_section import PREFETCH
from isocenter.routing.configuration.section import Key, Section, defaults_of
from isocenter.routing.configuration.step_sections import STEPS, TRANSFORM, WHEN
from isocenter.routing.configuration.translator_section import TRANSLATOR
from isocenter.routing.configuration.write import write_value
from isocenter.routing.rules.expression import Fact
from isocenter.routing.rules.types import EXAMPLES, ValueType, type_of
from isocenter.routing.transforms.step import Step

EXAMPLE = """\
[channels.router]
description = "Everything to the PACS, CT and MR to the cloud too"
source = { kind = "dimse", listen = "QIEROUTER@0.0.0.0:4007" }

[[channels.router.rules]]
name = "to the PACS"
to = ["pacs"]

[[channels.router.rules]]
name = "CT and MR to the cloud"
when = 'Modality in ("CT", "MR") and size < 2GB'
to = ["cloud"]
transforms = ["for-the-cloud"]

[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@10.0.2.4:4242"
calling_ae_title = "keep"

[destinations.cloud]
kind = "dicomweb"
url = "https://example.dicom.azurehealthcareapis.com/v2"
profile = "azure"

[destinations.cloud.authentication]
kind = "oauth2"
token_url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"
client_id = "00000000-0000-0000-0000-000000000000"
client_secret = "cloud-client-secret"
scope = "https://dicom.healthcareapis.azure.com/.default"

[[destinations.cloud.limits]]
during = "mon-fri 07:00-19:00"
rate = "5MB/s"

[[transforms.for-the-cloud.steps]]
character_set = "ISO_IR 192"

[[transforms.for-the-cloud.steps]]
extend = "AccessionNumber"
prefix = "GH-"
"""
_FACTS = {
    Fact.CALLING_AE_TITLE: "who sends",
    Fact.CALLED_AE_TITLE: "whom the sender calls",
    Fact.ADDRESS: "the IP address of the sender; `=` and `in` take networks too",
    Fact.TRANSFER_SYNTAX_UID: "how the instance is encoded",
    Fact.SIZE: "of the whole instance",
    Fact.DATE: "of receipt",
    Fact.TIME: "of receipt, in the time of the place",
    Fact.WEEKDAY: "of receipt",
}
_CONDITIONS = """\
## Conditions

A condition asks for attributes, by keyword (`Modality`) or tag (`(0008,0060)`), and for facts of how the instance came.

| form | holds where |
|---|---|
| `Modality = "CT"`, `!=` | a value is the same, letter by letter; `!=` is its opposite |
| `Rows > 512`, `<`, `<=`, `>=` | a value lies there; numbers, sizes, dates, times and ages have an order |
| `Modality in ("CT", "MR")`, `not in` | a value is one of the list |
| `time between 22:00 and 06:00`, `not between` | it lies there, both ends included; it may pass midnight, or Sunday |
| `StudyDescription like "*thorax*"`, `not like` | it fits, whatever case and accents: `*` any run, `?` any one |
| `StudyDescription contains "thorax"`, `not contains` | a value contains it, whatever its case and accents |
| `AccessionNumber is present`, `is missing` | there is a value; empty counts as missing |
| `ImageType[3] = "LOCALIZER"` | the third value is that; without a number, any value counts |
| `RequestAttributesSequence.AccessionNumber = "A1"` | it is so in any item; `…Sequence[1]` means the first |
| `ViewCodeSequence has (CodeValue = "R-10242" and …)` | one item fulfils all of that |
| `count(ImageType) > 2` | there are so many values, or items |
| `(0019,xx0C,"ACME 1.0") = 3` | the private attribute in the block of that creator |
| `not …`, `… and …`, `… or …`, `( … )` | `not` binds closest, then `and`, then `or` |

A comparison with an attribute that is missing, or has no value of its kind, does not hold; so `Modality != "CT"` holds
where Modality is missing. Texts stand in quotes, `"` or `'`.

"""


def render_channels(note: str) -> str:
    """Return the page."""
    lines = [
        "# Channels",
        "",
        note,
        "",
        "One TOML file says what is routed: channels with their sources and rules, destinations, transforms.",
        "`isocenter rule check` tells everything that is wrong with it, with line and key; `isocenter rule try` shows",
        "what its rules do with files; `isocenter rule diff` tells in words what changes between two. A node runs the",
        "file that the setting `routing.configuration` names, and keeps its versions; `isocenter routing import` has",
        "another one hold while it runs, and `isocenter routing example` prints one to begin with.",
        "",
        "Each channel is started, paused and stopped on its own (`isocenter channel`). What it takes in is durable,",
        'with what its rules planned, before it is acknowledged. With `acknowledge = "delivered"` the sender waits',
        "until every destination has it, up to 30 seconds, and is answered A700 (503) otherwise; the delivery goes on.",
        "Where no room is left, associations are rejected for the time being, and instances refused with A700 (507).",
        "",
        "```toml",
        EXAMPLE.rstrip(),
        "```",
        "",
    ]
    lines += [*_channels(), *_destinations(), *_transforms(), *_translators(), *_prefetch(), *_gateways(), ""]
    return "\n".join(lines) + _CONDITIONS + "\n".join(_facts())


def _channels() -> Iterator[str]:
    yield from _section("## Channels: `[channels.NAME]`", CHANNEL)
    for source in SOURCES:
        yield from _section(f'### Source: `[channels.NAME.source]`, `kind = "{source.kind}"`', source)
    yield from _section("### Rules: `[[channels.NAME.rules]]`", RULE, "They are asked in their order.")


def _destinations() -> Iterator[str]:
    yield from _section("## Destinations: `[destinations.NAME]`", DESTINATION)
    for target in TARGETS:
        yield from _section(f'### `kind = "{target.kind}"`', target)
    for each in AUTHENTICATIONS:
        yield from _section(f'### `[destinations.NAME.authentication]`, `kind = "{each.kind}"`', each)
    yield from _section("### Limits: `[[destinations.NAME.limits]]`", LIMIT, "The first one whose hours it is counts.")
    yield from _section("### Patience: `[destinations.NAME.retry]`", RETRY)
    yield from _section("### Breaker: `[destinations.NAME.breaker]`", BREAKER)


def _transforms() -> Iterator[str]:
    yield from _section("## Transforms: `[transforms.NAME]`", TRANSFORM)
    yield from ["### Steps: `[[transforms.NAME.steps]]`", ""]
    yield "Each step has the first key of one of these, and may have `when`. What cannot be written as it was meant (a"
    yield "value too long for its VR, a letter that the character set lacks) stops the instance: nothing is cut."
    yield ""
    yield from _table([WHEN], Section(Step, ()))
    for step in STEPS:
        yield from _section(f"#### `{step.keys[0].name}`", step)


def _gateways() -> Iterator[str]:
    yield from _section("## Gateways: `[gateways.NAME]`", GATEWAY)


def _prefetch() -> Iterator[str]:
    yield from _section("## Prefetching: `[prefetch.NAME]`", PREFETCH)


def _translators() -> Iterator[str]:
    yield from _section("## Translators: `[translators.NAME]`", TRANSLATOR)


def _section(heading: str, section: Section, text: str = "") -> Iterator[str]:
    yield from [heading, ""]
    if section.help or text:
        yield from [section.help or text, ""]
    yield from _table(section.keys, section)


def _table(keys: Iterable[Key], section: Section) -> Iterator[str]:
    rows = [f"| `{key.name}` | {_escaped(key.kind.expected)} | {_default(key, section)} | {key.help} |" for key in keys]
    if rows:
        yield from ["| key | expected | default | meaning |", "|---|---|---|---|", *rows, ""]


def _default(key: Key, section: Section) -> str:
    if section.is_required(key):
        return "needed"
    value: Any = defaults_of(section.make).get(key.field_name)
    return "" if value in (None, "", ()) else f"`{write_value(key.kind.write(value))}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _facts() -> Iterator[str]:
    yield from ["| fact | written as | |", "|---|---|---|"]
    for fact, meaning in _FACTS.items():
        yield f"| `{fact}` | `{EXAMPLES[type_of(fact)]}` | {meaning} |"
    yield ""
    yield "Attributes are compared by their VR: dates (DA, DT) with " + EXAMPLES[ValueType.DATE] + "; times (TM) with"
    yield f"{EXAMPLES[ValueType.TIME]}; ages (AS) with {EXAMPLES[ValueType.AGE]}; numbers with"
    yield f"{EXAMPLES[ValueType.NUMBER]}; the rest as text."
    yield ""
