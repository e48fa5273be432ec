"""Conditions of every form and instances of every sort, for property tests of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from isocenter.routing.rules.expression import (
    WEEKDAYS,
    And,
    Between,
    Comparison,
    Contains,
    Count,
    Expression,
    Fact,
    Has,
    Like,
    Literal,
    LiteralKind,
    Membership,
    Not,
    Operand,
    Operator,
    Or,
    Path,
    PathStep,
    Present,
)
from isocenter.routing.rules.literals import normalized
from isocenter.routing.rules.subject import Subject
from isocenter.routing.rules.types import LITERALS, ORDERED_TYPES, RANGE_TYPES, TEXT_TYPES, ValueType, type_of

MODALITY, IMAGE_TYPE, ROWS, STUDY_DATE, STUDY_TIME = 0x00080060, 0x00080008, 0x00280010, 0x00080020, 0x00080030
PATIENT_AGE, STUDY_DESCRIPTION, ACQUISITION, SLICE_THICKNESS = 0x00101010, 0x00081030, 0x0008002A, 0x00180050
REQUEST, VIEW_CODE, CODE_VALUE, RED_LUT = 0x00400275, 0x00540220, 0x00080100, 0x00281201
PRIVATE, PRIVATE_CREATOR = 0x00091001, "ISOCENTER TESTS"

_VALUE_TAGS = (
    MODALITY, IMAGE_TYPE, ROWS, STUDY_DATE, STUDY_TIME, PATIENT_AGE, STUDY_DESCRIPTION, ACQUISITION, SLICE_THICKNESS,
    CODE_VALUE, PRIVATE, RED_LUT,
)  # fmt: skip
_SEQUENCE_TAGS = (REQUEST, VIEW_CODE)
_TEXTS = st.one_of(
    st.sampled_from(["CT", "MR", "ct", "Thörax", "a*b", 'say "x"', "back\\slash", "it's"]), st.text(max_size=6)
)


@dataclass(frozen=True)
class Item:
    """A data set as plain mappings: the slow, obvious reader."""

    values: Mapping[int, Sequence[str]] = field(default_factory=dict)
    items: Mapping[int, Sequence[Item]] = field(default_factory=dict)

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute."""
        return self.values.get(tag, ())

    def items_of(self, tag: int) -> Sequence[Item]:
        """Return the items of a sequence."""
        return self.items.get(tag, ())

    def has_value(self, tag: int) -> bool:
        """Tell whether there is something."""
        return bool(self.values_of(tag) or self.items_of(tag))


def subject(
    item: Item | None = None, *, at: str = "2026-11-21T10:00:00", size_bytes: int = 1000, calling: str | None = "CT1"
) -> Subject:
    """Return an instance that came on a Saturday morning."""
    return Subject(
        attributes=item or Item(),
        received_at=datetime.fromisoformat(at),
        size_bytes=size_bytes,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        calling_ae_title=calling,
        called_ae_title=None if calling is None else "ROUTER",
        address=None if calling is None else "10.1.2.3",
    )


def _numbers() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(1, 9999)


@st.composite
def _paths(draw: st.DrawFn, tags: Sequence[int]) -> Path:
    nested = draw(st.lists(st.sampled_from(_SEQUENCE_TAGS), max_size=2))
    steps = [PathStep(tag, number=draw(_numbers())) for tag in nested]
    last = draw(st.sampled_from(tags))
    is_by_creator = last == PRIVATE and draw(st.booleans())
    step = (
        PathStep(0x00090001, PRIVATE_CREATOR, draw(_numbers()))
        if is_by_creator
        else PathStep(last, None, draw(_numbers()))
    )
    return Path((*steps, step))


_dates = st.dates(min_value=date(1000, 1, 1)).map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
_decimals = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=3).map(normalized)
_ages = st.tuples(st.integers(0, 999), st.sampled_from("DWMY")).map(lambda age: f"{age[0]:03d}{age[1]}")
_addresses = st.sampled_from(["10.1.2.3", "10.1.0.0/16", "::1", "2001:db8::/32"])
_LITERALS: dict[LiteralKind, st.SearchStrategy[str | int | Decimal]] = {
    LiteralKind.TEXT: _TEXTS,
    LiteralKind.NUMBER: _decimals,
    LiteralKind.SIZE: st.integers(0, 10**15 - 1),
    LiteralKind.DATE: _dates,
    LiteralKind.DAYS_FROM_TODAY: st.integers(-36_500, 36_500),
    LiteralKind.TIME: st.integers(0, 86_399),
    LiteralKind.AGE: _ages,
    LiteralKind.WEEKDAY: st.sampled_from([day.value for day in WEEKDAYS]),
}


@st.composite
def literals(draw: st.DrawFn, value_type: ValueType) -> Literal:
    """Return a literal that values of a type are compared with."""
    if value_type is ValueType.ADDRESS:
        return Literal(LiteralKind.TEXT, draw(_addresses))
    kind = draw(st.sampled_from(sorted(LITERALS[value_type])))
    return Literal(kind, draw(_LITERALS[kind]))


@st.composite
def _operands(draw: st.DrawFn) -> Operand:
    choice = draw(st.integers(0, 5))
    if choice == 0:
        return draw(st.sampled_from(list(Fact)))
    if choice == 1:
        return Count(draw(_paths((*_VALUE_TAGS, *_SEQUENCE_TAGS))))
    return draw(_paths(_VALUE_TAGS))


@st.composite
def _leaves(draw: st.DrawFn) -> Expression:
    operand = draw(_operands())
    value_type = type_of(operand)
    forms = ["present"]
    forms += ["equal", "in"] if value_type in LITERALS else []
    forms += ["between"] if value_type in RANGE_TYPES else []
    forms += ["ordered"] if value_type in ORDERED_TYPES else []
    forms += ["like", "contains"] if value_type in TEXT_TYPES else []
    match draw(st.sampled_from(forms)):
        case "equal":
            return Comparison(operand, Operator.EQUAL, draw(literals(value_type)))
        case "ordered":
            return Comparison(operand, draw(st.sampled_from(list(Operator))), draw(literals(value_type)))
        case "in":
            chosen = draw(st.lists(literals(value_type), min_size=1, max_size=3, unique=True))
            return Membership(operand, tuple(chosen))
        case "between":
            return Between(operand, draw(literals(value_type)), draw(literals(value_type)))
        case "like":
            return Like(operand, draw(_TEXTS))
        case "contains":
            return Contains(operand, draw(_TEXTS.filter(bool)))
    return Present(operand)


def _several(kind: type[And] | type[Or], parts: Sequence[Expression]) -> Expression:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, kind) else (part,))]
    return kind(tuple(flat))


def _compounds(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: _several(And, parts)),
        several.map(lambda parts: _several(Or, parts)),
        inner.map(Not),
        st.builds(Has, _paths(_SEQUENCE_TAGS), inner),
    )


def expressions() -> st.SearchStrategy[Expression]:
    """Return a strategy for conditions as the parser makes them."""
    return st.recursive(_leaves(), _compounds, max_leaves=8)


def _values(tag: int) -> st.SearchStrategy[str]:
    sound: dict[int, st.SearchStrategy[str]] = {
        ROWS: st.integers(0, 65535).map(str),
        SLICE_THICKNESS: _decimals.map(str),
        STUDY_DATE: _dates,
        ACQUISITION: _dates.map(lambda day: day + "101500.25"),
        STUDY_TIME: st.sampled_from(["10", "1015", "235959.5", "00:30:00"]),
        PATIENT_AGE: _ages,
    }
    return st.one_of(sound.get(tag, _TEXTS), st.text(max_size=5))


@st.composite
def items(draw: st.DrawFn, depth: int = 2) -> Item:
    """Return a data set, with values that are none of their VR among the others."""
    tags = draw(st.lists(st.sampled_from(_VALUE_TAGS), unique=True))
    values = {tag: draw(st.lists(_values(tag), min_size=1, max_size=3)) for tag in tags}
    if draw(st.booleans()):
        values[0x00090010] = [PRIVATE_CREATOR]
    sequences = draw(st.lists(st.sampled_from(_SEQUENCE_TAGS), unique=True)) if depth else []
    return Item(values, {tag: draw(st.lists(items(depth - 1), max_size=2)) for tag in sequences})


def subjects() -> st.SearchStrategy[Subject]:
    """Return a strategy for instances and how they came."""
    return st.builds(
        Subject,
        attributes=items(),
        received_at=st.datetimes(min_value=datetime(1000, 1, 1)),
        size_bytes=st.integers(0, 10**12),
        transfer_syntax_uid=st.sampled_from(["", "1.2.840.10008.1.2"]),
        calling_ae_title=st.none() | _TEXTS,
        called_ae_title=st.none() | _TEXTS,
        address=st.none() | st.sampled_from(["10.1.2.3", "::ffff:10.1.2.3", "fe80::1%eth0", "somewhere"]),
    )
