"""The statement of a search for workitems: keys of one page from the texts that are kept, then the rows of that page.

The match that leaves least is looked up; each key that it gives is held against the others. What is asked of a single
text comes out in the order of keys, so that a page costs as much as what it passes over, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.fitting import folded_words
from isocenter.domain.forms import Form, form_of, is_universal, parse_pattern, to_form, wildcard_form_of
from isocenter.domain.query import Between, Comparison, OneOf, Wildcard, WordPrefixes
from isocenter.domain.workitem_search import SearchableAttribute, WorkitemMatch, WorkitemQuery
from isocenter.storage.sqlite.patterns import behind, glob_of

WORDS = " words"
"""Behind the name of an attribute: there stand the words of its person names."""
VALUES_MAX = 1024
"""Values in one match; SQLite takes 32,766 bindings in a statement."""

_PARTITION = "(SELECT partition_key FROM partition WHERE partition_name = :partition_name)"
_COLUMNS = (
    "w.workitem_key, :partition_name, w.sop_instance_uid, w.state, w.transaction_uid, w.content, w.created_at, "
    "w.changed_at, w.revision"
)
_UNSELECTIVE_VRS = frozenset({"CS"})
"""A state or a priority is that of many."""

Bindings = dict[str, str | int]


@dataclass(slots=True)
class _Bound:
    """The bindings of one statement while it is built."""

    bindings: Bindings = field(default_factory=dict)

    def bind(self, value: str) -> str:
        name = f"v{len(self.bindings)}"
        self.bindings[name] = value
        return f":{name}"


def page_statement(query: WorkitemQuery) -> tuple[str, Bindings]:
    """Return the statement for the workitems of a query, with its bindings; the key comes first in each row."""
    bound = _Bound()
    text = (
        f"WITH page (key) AS ({_keys(query, bound)} ORDER BY 1 DESC LIMIT :limit OFFSET :offset) "
        f"SELECT {_COLUMNS} FROM page CROSS JOIN workitem w ON w.workitem_key = page.key"
    )
    bound.bindings["partition_name"] = query.partition_name
    return text, bound.bindings | {"limit": max(0, query.limit), "offset": max(0, query.offset)}


def _keys(query: WorkitemQuery, bound: _Bound) -> str:
    matches = sorted((match for match in query.matches if not _is_always_true(match)), key=_rank)
    if not matches:
        return f"SELECT workitem_key FROM workitem WHERE partition_key = {_PARTITION}"
    first, *others = matches
    conditions = [_condition(first, "t", bound), *(_exists(match, bound) for match in others)]
    return f"SELECT DISTINCT t.workitem_key FROM workitem_text t WHERE {' AND '.join(conditions)}"


def _exists(match: WorkitemMatch, bound: _Bound) -> str:
    """Return what holds where a workitem that was found has a text that fits."""
    return (
        "EXISTS (SELECT 1 FROM workitem_text o INDEXED BY workitem_text_by_workitem "
        f"WHERE o.workitem_key = t.workitem_key AND {_condition(match, 'o', bound)})"
    )


def _is_always_true(match: WorkitemMatch) -> bool:
    one = match.match
    return isinstance(one, Wildcard) and is_universal(parse_pattern(one.pattern, Form.RAW))


def _rank(match: WorkitemMatch) -> tuple[bool, bool, bool]:
    """Return what sorts those matches first that leave least."""
    vr = match.attribute.vr
    return vr in _UNSELECTIVE_VRS, not isinstance(match.match, OneOf), vr not in ("UI", "LO", "SH")


def _condition(wanted: WorkitemMatch, alias: str, bound: _Bound) -> str:
    """Return what a text must be: the partition, the attribute, and how it compares."""
    name = name_of(wanted.attribute) + (WORDS if isinstance(wanted.match, WordPrefixes) else "")
    place = f"{alias}.partition_key = {_PARTITION} AND {alias}.attribute = {bound.bind(name)}"
    return f"{place} AND {_compared(wanted, alias, bound)}"


def _compared(wanted: WorkitemMatch, alias: str, bound: _Bound) -> str:
    attribute = wanted.attribute
    match wanted.match:
        case OneOf(_, values, comparison):
            return _one_of(attribute, values, comparison, alias, bound)
        case Wildcard(_, pattern, comparison):
            return _wildcard(attribute, pattern, comparison, alias, bound)
        case Between(_, lowest, highest):
            return _between(attribute, (lowest, highest), alias, bound)
        case WordPrefixes():
            return _words(folded_words(wanted.match), alias, bound)


def _one_of(
    attribute: SearchableAttribute, values: tuple[str, ...], comparison: Comparison, alias: str, bound: _Bound
) -> str:
    if len(values) > VALUES_MAX:
        raise InvalidRequest("The list of values is too long.")
    if not values:
        return "0"
    compared = _equals(f"{alias}.form", [to_form(kept_form(attribute), value) for value in values], bound)
    exact = form_of(attribute.vr, comparison)
    if exact is not kept_form(attribute):
        compared += " AND " + _equals(_in_form(alias, exact), [to_form(exact, value) for value in values], bound)
    return compared


def _equals(column: str, wanted: list[str], bound: _Bound) -> str:
    distinct = [bound.bind(value) for value in dict.fromkeys(wanted)]
    return f"{column} = {distinct[0]}" if len(distinct) == 1 else f"{column} IN ({', '.join(distinct)})"


def _between(attribute: SearchableAttribute, ends: tuple[str | None, str | None], alias: str, bound: _Bound) -> str:
    """Return what lies in a closed range, by every character; of dates and times that is the form that is kept."""
    exact = form_of(attribute.vr, Comparison.EXACT)
    column = f"{alias}.form" if exact is kept_form(attribute) else _in_form(alias, exact)
    signed = zip((">=", "<="), ends, strict=True)
    parts = [f"{column} {sign} {bound.bind(to_form(exact, end))}" for sign, end in signed if end is not None]
    return " AND ".join(parts) or "1"


def _in_form(alias: str, form: Form) -> str:
    return f"{alias}.text" if form is Form.RAW else f"to_form('{form.value}', {alias}.text)"


def _wildcard(attribute: SearchableAttribute, pattern: str, comparison: Comparison, alias: str, bound: _Bound) -> str:
    kept, form = kept_form(attribute), wildcard_form_of(attribute.vr, comparison)
    tokens = parse_pattern(pattern, form)
    if not tokens:
        return "0"
    compared = f"{_in_form(alias, form)} GLOB {bound.bind(glob_of(tokens))}"
    if not isinstance(tokens[0], str):
        return compared
    prefix = to_form(kept, tokens[0])
    return f"{_begins(prefix, alias, bound)} AND {compared}" if prefix else compared


def _words(words: tuple[str, ...], alias: str, bound: _Bound) -> str:
    if not words:
        return "0"
    found = _begins(words[0], alias, bound)
    if len(words) == 1:
        return found
    return f"{found} AND fits_words({alias}.text, {bound.bind(' '.join(words))})"


def _begins(prefix: str, alias: str, bound: _Bound) -> str:
    lowest = f"{alias}.form >= {bound.bind(prefix)}"
    highest = behind(prefix)
    return f"{lowest} AND {alias}.form < {bound.bind(highest)}" if highest else lowest


def name_of(attribute: SearchableAttribute) -> str:
    """Return the name under which the texts of an attribute are kept."""
    return ".".join(f"{tag:08X}" for tag in attribute.path)


def kept_form(attribute: SearchableAttribute) -> Form:
    """Return the form in which the texts of an attribute are kept, which is that of its coarsest comparison."""
    return form_of(attribute.vr, Comparison.FOLDED if attribute.vr == "PN" else Comparison.CASELESS)
