"""The one builder of search statements: a query becomes one statement and its bindings.

A statement finds the keys of one page first, from indexes where it can, and reads the columns of that page only.
Every condition on a kept form can use an index; comparison by every character is the condition on the kept form, which
it implies, and the comparison itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.domain.attributes import (
    BY_KEYWORD,
    INDEXED_ATTRIBUTES,
    MODALITIES_IN_STUDY,
    NUMBER_OF_SERIES_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_INSTANCES,
    NUMBER_OF_STUDY_RELATED_SERIES,
    IndexedAttribute,
)
from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import Level
from isocenter.domain.query import Between, Comparison, Match, OneOf, Query, Wildcard, WordPrefixes
from isocenter.storage.matching import (
    Form,
    Pattern,
    folded_words,
    form_of,
    is_universal,
    matched_attribute,
    parse_pattern,
    require_searchable,
    to_form,
    wildcard_form_of,
)
from isocenter.storage.sqlite.columns import ALIASES, TABLES, WORDS_SUFFIX, kept_form
from isocenter.storage.sqlite.patterns import behind, glob_of

VALUES_MAX = 10_000
"""A list of UIDs in one match; SQLite takes 32,766 bindings in a statement."""

_PARTITION = "(SELECT partition_key FROM partition WHERE partition_name = :partition_name)"
_MODALITY = BY_KEYWORD["Modality"]
_COMPUTED = {
    Level.STUDY: (
        (MODALITIES_IN_STUDY, "s.modalities_in_study"),
        (NUMBER_OF_STUDY_RELATED_SERIES, "CAST(s.number_of_series AS TEXT)"),
        (NUMBER_OF_STUDY_RELATED_INSTANCES, "CAST(s.number_of_instances AS TEXT)"),
    ),
    Level.SERIES: ((NUMBER_OF_SERIES_RELATED_INSTANCES, "CAST(e.number_of_instances AS TEXT)"),),
    Level.INSTANCE: (),
}
_NEWEST = {
    Level.STUDY: "s.newest_instance_key",
    Level.SERIES: "e.newest_instance_key",
    Level.INSTANCE: "i.instance_key",
}
_JOINED = {
    Level.STUDY: "CROSS JOIN study s ON s.study_key = page.key",
    Level.SERIES: "CROSS JOIN series e ON e.series_key = page.key CROSS JOIN study s ON s.study_key = e.study_key",
    Level.INSTANCE: (
        "CROSS JOIN instance i ON i.instance_key = page.key "
        "CROSS JOIN series e ON e.series_key = i.series_key CROSS JOIN study s ON s.study_key = i.study_key"
    ),
}


def _answer_columns(level: Level) -> tuple[tuple[int, str], ...]:
    kept = [(one.tag, f"{ALIASES[one.level]}.{one.column}") for one in INDEXED_ATTRIBUTES if one.level <= level]
    computed = [pair for table in (Level.STUDY, Level.SERIES) if table <= level for pair in _COMPUTED[table]]
    return tuple(kept + computed)


_ANSWERS = {level: _answer_columns(level) for level in TABLES}

Bindings = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its bindings; its rows are key, newest instance key, then the values of `tags`."""

    text: str
    bindings: Bindings
    tags: tuple[int, ...] = ()


@dataclass(slots=True)
class _Conditions:
    """The conditions of one query while they are collected."""

    level: Level
    bindings: Bindings = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    levels: set[Level] = field(default_factory=set)
    has_modality_join: bool = False

    def bind(self, value: str) -> str:
        name = f"v{len(self.bindings)}"
        self.bindings[name] = value
        return f":{name}"

    def bind_all(self, values: list[str]) -> str:
        return ", ".join([self.bind(value) for value in values])


def page_statement(query: Query) -> Statement:
    """Return the statement for the rows of a query."""
    keys = _keys(query)
    tags, columns = zip(*_ANSWERS[query.level], strict=True)
    text = (
        f"WITH page (key) AS ({keys.text} ORDER BY 1 DESC LIMIT :limit OFFSET :offset) "
        f"SELECT page.key, {_NEWEST[query.level]}, {', '.join(columns)} FROM page {_JOINED[query.level]}"
    )
    bindings = keys.bindings | {"limit": max(0, query.limit), "offset": max(0, query.offset)}
    return Statement(text, bindings, tags)


def count_statement(query: Query) -> Statement:
    """Return the statement that counts the rows of a query."""
    keys = _keys(query)
    return Statement(f"SELECT count(*) FROM ({keys.text})", keys.bindings)


def _keys(query: Query) -> Statement:
    require_searchable(query)
    conditions = _Conditions(query.level)
    conditions.bindings["partition_name"] = query.partition_name
    _scope(conditions, query)
    for match in query.matches:
        _add(conditions, match)
    return Statement(_key_select(conditions), conditions.bindings)


def _scope(conditions: _Conditions, query: Query) -> None:
    if query.study_instance_uid is not None:
        conditions.levels.add(Level.STUDY)
        conditions.texts.append(f"s.study_instance_uid = {conditions.bind(query.study_instance_uid)}")
    if query.series_instance_uid is not None and query.level > Level.STUDY:
        conditions.levels.add(Level.SERIES)
        conditions.texts.append(f"e.series_instance_uid = {conditions.bind(query.series_instance_uid)}")


def _key_select(conditions: _Conditions) -> str:
    level = conditions.level
    if conditions.has_modality_join:
        conditions.levels.add(Level.STUDY)
    tables = sorted({*conditions.levels, level})
    if tables == [Level.STUDY, Level.INSTANCE]:
        tables.insert(1, Level.SERIES)  # instances are found by their series
    source = _source(tables, conditions)
    alias = "m" if conditions.has_modality_join and level is Level.STUDY else ALIASES[level]
    where = [*(f"{ALIASES[table]}.partition_key = {_PARTITION}" for table in tables), *conditions.texts]
    if level is Level.INSTANCE:
        where.append("i.is_original = 0")
    return f"SELECT {alias}.{TABLES[level]}_key FROM {source} WHERE {' AND '.join(where)}"


def _source(tables: list[Level], conditions: _Conditions) -> str:
    joined: list[str] = []
    for table in tables:
        name = f"{TABLES[table]} {ALIASES[table]}"
        joined.append(f"{name} ON {_link(tables, table)}" if joined else name)
    source = " JOIN ".join(joined)
    if conditions.has_modality_join:
        source = f"study_modality m JOIN {source}"
    return source


def _link(tables: list[Level], table: Level) -> str:
    above = tables[tables.index(table) - 1]
    return f"{ALIASES[table]}.{TABLES[above]}_key = {ALIASES[above]}.{TABLES[above]}_key"


def _add(conditions: _Conditions, match: Match) -> None:
    attribute = matched_attribute(match, conditions.level)
    if attribute.tag == MODALITIES_IN_STUDY:
        _add_modalities(conditions, match)
        return
    text = _condition(conditions, match, attribute, ALIASES[attribute.level])
    if text:
        conditions.levels.add(attribute.level)
        conditions.texts.append(text)


def _add_modalities(conditions: _Conditions, match: Match) -> None:
    """Ask for a series of that modality, in the order of studies where one value is asked for."""
    text = _condition(conditions, match, _MODALITY, "x")
    if not text:
        return
    conditions.levels.add(Level.STUDY)
    is_single = isinstance(match, OneOf) and len(match.values) == 1
    if is_single and not conditions.has_modality_join:
        conditions.has_modality_join = True
        caseless = conditions.bind(to_form(Form.CASELESS, match.values[0])) if isinstance(match, OneOf) else ""
        conditions.texts.append(
            f"m.partition_key = {_PARTITION} AND m.modality_caseless = {caseless} AND m.study_key = s.study_key"
        )
        if isinstance(match, OneOf) and match.comparison is Comparison.CASELESS:
            return
    conditions.texts.append(f"EXISTS (SELECT 1 FROM series x WHERE x.study_key = s.study_key AND {text})")


def _condition(conditions: _Conditions, match: Match, attribute: IndexedAttribute, alias: str) -> str:
    match match:
        case OneOf(_, values, comparison):
            return _one_of(conditions, attribute, alias, values, form_of(attribute.vr, comparison))
        case Wildcard(_, pattern, comparison):
            form = wildcard_form_of(attribute.vr, comparison)
            return _wildcard(conditions, attribute, alias, parse_pattern(pattern, form), form)
        case Between(_, lowest, highest):
            return _between(conditions, attribute, alias, lowest, highest)
        case WordPrefixes():
            return _word_prefixes(conditions, attribute, alias, folded_words(match))


def _column(attribute: IndexedAttribute, alias: str, form: Form) -> str:
    """Return where a form of an attribute is found: in a column, or computed from one where none is kept."""
    raw = f"{alias}.{attribute.column}"
    if form is Form.RAW or (form is Form.INTEGER and attribute.vr == "US"):
        return raw
    if form is kept_form(attribute):
        return f"{raw}_{form.value}"
    return f"to_form('{form.value}', {raw})"


def _indexed_form(attribute: IndexedAttribute, form: Form) -> Form:
    """Return the kept form that equality in another form implies; the form itself where there is none."""
    kept = kept_form(attribute)
    return kept if form is Form.RAW and kept in (Form.CASELESS, Form.FOLDED) else form


def _one_of(
    conditions: _Conditions, attribute: IndexedAttribute, alias: str, values: tuple[str, ...], form: Form
) -> str:
    if len(values) > VALUES_MAX:
        raise InvalidRequest("The list of values is too long.")
    if not values:
        return "0"
    forms = dict.fromkeys((_indexed_form(attribute, form), form))
    return " AND ".join([_equals(conditions, _column(attribute, alias, one), values, one) for one in forms])


def _equals(conditions: _Conditions, column: str, values: tuple[str, ...], form: Form) -> str:
    wanted = list(dict.fromkeys(to_form(form, value) for value in values))
    bound = conditions.bind_all(wanted)
    return f"{column} = {bound}" if len(wanted) == 1 else f"{column} IN ({bound})"


def _wildcard(conditions: _Conditions, attribute: IndexedAttribute, alias: str, pattern: Pattern, form: Form) -> str:
    if is_universal(pattern):
        return ""
    if not pattern:
        return "0"
    column = _column(attribute, alias, form)
    texts: list[str] = []
    if isinstance(pattern[0], str):
        indexed = _indexed_form(attribute, form)
        prefix = to_form(indexed, pattern[0]) if indexed is not form else pattern[0]
        texts.append(_prefix_range(conditions, _column(attribute, alias, indexed), prefix))
    texts.append(f"{column} GLOB {conditions.bind(glob_of(pattern))}")
    return " AND ".join(text for text in texts if text)


def _prefix_range(conditions: _Conditions, column: str, prefix: str) -> str:
    if not prefix:
        return ""
    lowest = f"{column} >= {conditions.bind(prefix)}"
    highest = behind(prefix)
    return f"{lowest} AND {column} < {conditions.bind(highest)}" if highest else lowest


def _between(
    conditions: _Conditions, attribute: IndexedAttribute, alias: str, lowest: str | None, highest: str | None
) -> str:
    form = form_of(attribute.vr, Comparison.EXACT)
    column = _column(attribute, alias, form)
    ends = [
        f"{column} {sign} {conditions.bind(to_form(form, end))}"
        for sign, end in ((">=", lowest), ("<=", highest))
        if end is not None
    ]
    return " AND ".join(ends) or f"{column} IS NOT NULL"


def _word_prefixes(conditions: _Conditions, attribute: IndexedAttribute, alias: str, words: tuple[str, ...]) -> str:
    if not words:
        return "0"
    found = (
        f"{alias}.study_key IN (SELECT w.study_key FROM study_name_word w WHERE w.partition_key = {_PARTITION} "
        f"AND w.attribute = '{attribute.column}' AND {_prefix_range(conditions, 'w.word', words[0])})"
    )
    if len(words) == 1:
        return found
    phrase = conditions.bind(" ".join(words))
    return f"{found} AND fits_words({alias}.{attribute.column}_{WORDS_SUFFIX}, {phrase})"
