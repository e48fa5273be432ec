"""The kinds of faults as tables of keys: one list to read TOML, JSON and the command line by, and to document by."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.nearest import did_you_mean
from isocenter.modality.faults.fault import (
    Bandwidth,
    Close,
    DimseAbort,
    DimseReject,
    DimseStatus,
    Direction,
    Fault,
    Garble,
    HttpAnswer,
    HttpSilence,
    HttpToken,
    HttpTruncate,
    Latency,
    Refuse,
    Reset,
    Silence,
    Stall,
)
from isocenter.routing.configuration.kinds import BOOLEAN, DURATION, SIZE, TEXT, Kind, choice, integer, number
from isocenter.routing.configuration.lines import KeyPath, Lines
from isocenter.routing.configuration.problem import Report
from isocenter.routing.configuration.section import Key, Section, choose_section, read_section, write_section

COUNT_MAX = 2**31
_POSITION_MAX = 2**48
_BYTES = Kind(
    'a size such as "100kB", or a number of bytes',
    lambda raw: integer(0, _POSITION_MAX).parse(raw) if isinstance(raw, int) else SIZE.parse(raw),
    SIZE.write,
)


def _rate(raw: object) -> object:
    text = raw if isinstance(raw, str) else ""
    if not text.endswith("/s"):
        raise ValueError
    found = SIZE.parse(text.removesuffix("/s"))
    if not found:
        raise ValueError
    return found


def _status(raw: object) -> int:
    """Return a DIMSE status, written as people do: hexadecimal, as in A700."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return int(str(integer(0, 0xFFFF).parse(raw)))
    if not isinstance(raw, str) or not 1 <= len(raw.removeprefix("0x")) <= 4:
        raise ValueError
    return int(raw.removeprefix("0x"), 16)


_RATE = Kind('a rate above nothing, for example "250kB/s"', _rate, lambda value: f"{SIZE.write(value)}/s")
_STATUS = Kind('a DIMSE status, for example "A700"', _status, lambda value: f"{value:04X}")
_DIRECTION = choice(Direction)
_BYTE = integer(0, 255)

_AFTER = Key("after_bytes", _BYTES, "So many bytes pass first, counted on each connection from when the fault is set.")
_WAY = Key("direction", _DIRECTION, "Which way.")
_COMMON = (
    Key("count", integer(0, COUNT_MAX), "It strikes so many times at most; 0 for no limit."),
    Key("probability", number(0.0, 1.0), "Of the occasions that it has, it takes this share."),
    Key("seed", integer(0, COUNT_MAX), "Which ones: the same seed chooses the same."),
)
_HTTP = (
    Key("method", TEXT, "Only requests of this method."),
    Key("path", TEXT, "Only requests whose path fits this pattern of `*` and `?`."),
)

BYTE_FAULTS = (
    Section(
        Latency,
        (
            Key("delay", DURATION, "So much later.", field="delay_s"),
            Key("jitter", DURATION, "Up to so much more, at random.", field="jitter_s"),
            _WAY,
            *_COMMON,
        ),
        kind="latency",
        help="Bytes arrive later.",
    ),
    Section(
        Bandwidth,
        (Key("rate", _RATE, "So fast at most.", field="bytes_per_s"), _WAY, *_COMMON),
        kind="bandwidth",
        help="Bytes pass slowly, each direction of each connection by itself.",
    ),
    Section(
        Refuse,
        (Key("cuts_open", BOOLEAN, "Whether connections that are open are reset."), *_COMMON),
        kind="refuse",
        help="Connections are refused. With a count or a probability they are accepted and reset at once.",
    ),
    Section(
        Reset, (_AFTER, _WAY, *_COMMON), kind="reset", help="A connection is reset (RST) at the first byte behind."
    ),
    Section(
        Close,
        (_AFTER, _WAY, *_COMMON),
        kind="close",
        help="A connection is closed in peace (FIN) at the first byte behind: what came is truncated.",
    ),
    Section(
        Stall,
        (_AFTER, _WAY, *_COMMON),
        kind="stall",
        help="A connection stays open and nothing passes any more: half-open.",
    ),
    Section(
        Silence,
        _COMMON,
        kind="silence",
        help="New connections are accepted and never answered; the target sees nothing of them.",
    ),
    Section(Garble, (_AFTER, _WAY, *_COMMON), kind="garble", help="Bytes are replaced by random ones."),
)
HTTP_FAULTS = (
    Section(
        HttpAnswer,
        (
            Key("status", integer(200, 599), "The status, for example 503."),
            Key("retry_after", DURATION, "What the header Retry-After says.", field="retry_after_s"),
            Key("location", TEXT, "What the header Location says."),
            *_HTTP,
            *_COMMON,
        ),
        kind="http-answer",
        help="A request is answered in the place of the target, which never sees it.",
    ),
    Section(
        HttpTruncate,
        (Key("after_bytes", _BYTES, "So many bytes of the body come."), *_HTTP, *_COMMON),
        kind="http-truncate",
        help="The body of an answer ends early.",
    ),
    Section(
        HttpSilence,
        (*_HTTP, *_COMMON),
        kind="http-silence",
        help="A request is taken and never answered; the target never sees it.",
    ),
    Section(
        HttpToken,
        (
            Key("token", TEXT, "What the target gets in the place of the bearer token; empty takes it away."),
            *_HTTP,
            *_COMMON,
        ),
        kind="http-token",
        help="The bearer token of a request is replaced: what an expired one looks like.",
    ),
)
DIMSE_FAULTS = (
    Section(
        DimseReject,
        (
            Key("result", integer(1, 2), "1 permanent, 2 transient."),
            Key("source", integer(1, 3), "1 service user, 2 provider (ACSE), 3 provider (presentation)."),
            Key("reason", _BYTE, "By source, as in PS3.8 table 9-21."),
            *_COMMON,
        ),
        kind="dimse-reject",
        help="A request for an association is rejected in the place of the target.",
    ),
    Section(
        DimseAbort,
        (
            Key("after_instances", integer(0, COUNT_MAX), "So many C-STOREs of the association are answered first."),
            Key("source", integer(0, 2), "0 service user, 2 service provider."),
            Key("reason", _BYTE, "As in PS3.8 table 9-26."),
            Key("hides_answer", BOOLEAN, "Whether the target stores one more, whose answer does not come through."),
            *_COMMON,
        ),
        kind="dimse-abort",
        help="An association is aborted to both sides.",
    ),
    Section(
        DimseStatus,
        (
            Key("status", _STATUS, "The status of the response."),
            Key("reaches_target", BOOLEAN, "Whether the target stores the instance all the same."),
            *_COMMON,
        ),
        kind="dimse-status",
        help="A C-STORE is answered with a status.",
    ),
)
FAULTS = (*BYTE_FAULTS, *HTTP_FAULTS, *DIMSE_FAULTS)
_SECTION_OF: Mapping[type[Fault], Section] = {section.make: section for section in FAULTS}
_INLINE = "fault"
"""What stands for the file in messages about a fault that came by no file."""


def read_fault(table: Mapping[str, object], path: KeyPath, report: Report) -> Fault | None:
    """Return the fault that a table says, None with problems where it says none."""
    section = choose_section(FAULTS, table, path, report)
    found: Fault | None = None if section is None else read_section(section, table, path, report)
    return found


def parse_fault(table: Mapping[str, object]) -> Fault:
    """Return the fault that a table says; raise InvalidRequest where it says none."""
    report = Report(_INLINE, Lines({}))
    fault = read_fault(table, (), report)
    if fault is None:
        raise InvalidRequest(" ".join(_said(problem.key, problem.message) for problem in report.problems))
    return fault


def parse_words(kind: str, words: Iterable[str]) -> Fault:
    """Return the fault of a kind whose keys are given as `key=value`; raise InvalidRequest where they make none."""
    kinds = [section.kind for section in FAULTS]
    if kind not in kinds:
        hint = did_you_mean(kind, kinds, "the kinds are " + ", ".join(kinds) + ".", cutoff=0.4)
        raise InvalidRequest(f"There is no fault {kind}; {hint}")
    table: dict[str, object] = {"kind": kind}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"Keys of a fault are given as key=value, not {word!r}.")
        table[name] = _value_of(value)
    return parse_fault(table)


def kind_of(fault: Fault) -> str:
    """Return the name of the kind of a fault."""
    return _SECTION_OF[type(fault)].kind


def written(fault: Fault) -> dict[str, object]:
    """Return the table that a fault is read from, what is the default left out."""
    return write_section(_SECTION_OF[type(fault)], fault)


def described(fault: Fault) -> str:
    """Return a fault in one line, as the command line takes it."""
    table = written(fault)
    keys = " ".join(f"{name}={value}" for name, value in table.items() if name != "kind")
    return f"{table['kind']} {keys}".rstrip()


def _said(key: str, message: str) -> str:
    return f"{key}: {message}" if key else message


def _value_of(text: str) -> object:
    """Return a word as TOML would have it; what is no number and no boolean is a text."""
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | str) else text
