"""The work list in SQLite: columns of the steps narrow a search down, the texts of the items decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import apsw
import orjson

from isocenter.domain.forms import Form, form_of, parse_pattern, to_form
from isocenter.domain.moments import is_date
from isocenter.domain.query import Between, Comparison, OneOf, Wildcard
from isocenter.domain.values import Values, items, texts
from isocenter.domain.worklist import (
    ACCESSION_NUMBER,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    REQUESTED_PROCEDURE_ID,
    SCHEDULED_PROCEDURE_STEP_ID,
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    SCHEDULED_STATION_AE_TITLE,
    START_DATE,
    STUDY_INSTANCE_UID,
    Addition,
    Key,
    NewWorklistItem,
    PeriodKey,
    ScheduledStepReference,
    StepState,
    ValueKey,
    WorklistEntry,
    WorklistQuery,
    references_of,
    start_of,
)
from isocenter.storage.sqlite.connections import ReaderPool, Row, fetch
from isocenter.storage.sqlite.writer import IndexWriter
from isocenter.storage.worklist_matching import fitting_steps, kept_text, split_keys

VALUES_MAX = 64
"""A longer list of values is not looked for in columns; the texts decide all the same."""

_EXACT, _CASELESS, _FOLDED = Comparison.EXACT, Comparison.CASELESS, Comparison.FOLDED
_ITEM_COLUMNS = (
    (PATIENT_ID, "patient_id", "LO", _EXACT),
    (PATIENT_NAME, "patient_name_folded", "PN", _FOLDED),
    (ACCESSION_NUMBER, "accession_number", "SH", _EXACT),
    (STUDY_INSTANCE_UID, "study_instance_uid", "UI", _EXACT),
    (REQUESTED_PROCEDURE_ID, "requested_procedure_id", "SH", _EXACT),
)
_STEP_COLUMNS = (
    (SCHEDULED_PROCEDURE_STEP_ID, "scheduled_procedure_step_id", "SH", _EXACT),
    (MODALITY, "modality_caseless", "CS", _CASELESS),
    (SCHEDULED_STATION_AE_TITLE, "scheduled_station_ae_title", "AE", _EXACT),
)

Condition = tuple[str, list[str]]
"""A condition and its bindings."""


class SqliteWorklist:
    """Keep the work list in the file of the index."""

    def __init__(self, writer: IndexWriter, readers: ReaderPool, queries: Mapping[str, str]) -> None:
        self._writer = writer
        self._readers = readers
        self._queries = queries

    def add(self, items: Sequence[NewWorklistItem], *, now: float) -> list[Addition]:
        """Keep items, all or none, each in the place of the one of its identity."""
        return self._writer.transact(lambda connection: [self._add(connection, item, now) for item in items])

    def _add(self, connection: apsw.Connection, new: NewWorklistItem, now: float) -> Addition:
        rows = fetch(connection, self._queries["worklist_states"], (new.identity,))
        states = {ScheduledStepReference(study, step): StepState(state) for study, step, state in rows}
        connection.execute(self._queries["delete_worklist_identity"], (new.identity,))
        was_there = connection.changes() > 0
        content = (new.identity, now, new.source, new.transfer_syntax_uid, orjson.dumps(new.values), new.content)
        item_key: int = connection.execute(self._queries["insert_worklist_item"], content).get
        steps = [(item_key, *row) for row in _step_rows(new.values, states)]
        connection.executemany(self._queries["insert_worklist_step"], steps)
        return Addition(item_key, was_there)

    def find(self, query: WorklistQuery) -> list[int]:
        """Return the keys of the steps that fit, in the order of their start, then of their keys."""
        statement, bindings = _statement(query)
        fitting: dict[int, list[int]] = {}
        found = []
        with self._readers.connection() as connection:
            for step_key, day, time, item_key, number, values in connection.execute(statement, bindings):
                if query.keys and item_key not in fitting:
                    fitting[item_key] = fitting_steps(orjson.loads(values), query)
                if not query.keys or number in fitting[item_key]:
                    found.append((day, time, step_key))
        return [step_key for _, _, step_key in sorted(found)]

    def entries(self, step_keys: Sequence[int]) -> list[WorklistEntry]:
        """Return steps by key, in the order asked for."""
        bindings = {"step_keys": orjson.dumps(list(step_keys)).decode()}
        with self._readers.connection() as connection:
            rows = fetch(connection, self._queries["worklist_entries"], bindings)
        return [_entry(row) for row in rows]

    def remove(self, item_keys: Sequence[int]) -> int:
        """Drop items with their steps; return how many were there."""

        def write(connection: apsw.Connection) -> int:
            removed = 0
            for item_key in item_keys:
                connection.execute(self._queries["delete_worklist_item"], (item_key,))
                removed += connection.changes()
            return removed

        return self._writer.transact(write)

    def count(self) -> int:
        """Return how many items are kept."""
        with self._readers.connection() as connection:
            return int(connection.execute(self._queries["count_worklist_items"]).get)


def mark_steps(
    connection: apsw.Connection, queries: Mapping[str, str], named: Sequence[ScheduledStepReference], state: StepState
) -> None:
    """Note how far scheduled steps have come, within the transaction of whoever says so."""
    rows = [(state.value, one.study_instance_uid, one.scheduled_procedure_step_id) for one in named]
    connection.executemany(queries["mark_worklist_step"], rows)


def _step_rows(
    values: Values, states: Mapping[ScheduledStepReference, StepState]
) -> list[tuple[str | int | None, ...]]:
    of_item = [kept_text(vr, texts(values, tag), comparison) for tag, _, vr, comparison in _ITEM_COLUMNS]
    steps = items(values, SCHEDULED_PROCEDURE_STEP_SEQUENCE) or [{}]
    rows: list[tuple[str | int | None, ...]] = []
    for number, (step, named) in enumerate(zip(steps, references_of(values), strict=True)):
        state = states.get(named, StepState.SCHEDULED) if named is not None else StepState.SCHEDULED
        study, step_id = (named.study_instance_uid, named.scheduled_procedure_step_id) if named else (None, None)
        of_step = [kept_text(vr, texts(step, tag), comparison) for tag, _, vr, comparison in _STEP_COLUMNS]
        rows.append((number, state.value, *_order_of(step), study, step_id, *of_item, *of_step))
    return rows


def _order_of(step: Values) -> tuple[str, str]:
    day, time = start_of(step)
    return day, to_form(Form.TIME, time) if time else ""


def _entry(row: Row) -> WorklistEntry:
    step_key, item_key, number, state, content, syntax, values, added_at, source = row
    return WorklistEntry(
        step_key, item_key, number, StepState(state), content, syntax, orjson.loads(values), added_at, source
    )


def _statement(query: WorklistQuery) -> tuple[str, list[str]]:
    """Return what reads every step that could fit; without keys the texts of the items are left where they are."""
    of_item, of_step = split_keys(query.keys)
    conditions = [_state_condition(query)]
    conditions += [one for key in of_item for one in _conditions(key, _ITEM_COLUMNS)]
    conditions += [one for key in of_step for one in _conditions(key, _STEP_COLUMNS)]
    conditions += [one for key in of_step for one in _day_conditions(key)]
    values, item = ("i.attribute_values", "CROSS JOIN worklist_item i USING (item_key)") if query.keys else ("NULL", "")
    text = (
        f"SELECT s.step_key, s.start_day, s.start_time, s.item_key, s.step_number, {values} "
        f"FROM worklist_step s {item} WHERE {' AND '.join(text for text, _ in conditions)}"
    )
    return text, [binding for _, bindings in conditions for binding in bindings]


def _state_condition(query: WorklistQuery) -> Condition:
    states = sorted(query.states)
    return f"s.state IN ({', '.join('?' * len(states))})", [state.value for state in states]


def _conditions(key: Key, columns: Sequence[tuple[int, str, str, Comparison]]) -> list[Condition]:
    """Return what must hold of columns where a key fits; not less than that, but it may be more."""
    if not isinstance(key, ValueKey):
        return []
    match = key.match
    for tag, column, vr, comparison in columns:
        if tag != match.tag or not isinstance(match, OneOf | Wildcard) or match.comparison is not comparison:
            continue
        form = form_of(vr, comparison)
        if isinstance(match, Wildcard):
            pieces = [token for token in parse_pattern(match.pattern, form) if isinstance(token, str)]
            return [(f"instr(s.{column}, ?) > 0", [piece]) for piece in pieces]
        if len(match.values) > VALUES_MAX:
            return []
        around = "" if vr == "PN" else "\\"  # one group of a name may fit
        wanted = [around + to_form(form, value) + around for value in match.values]
        return [(f"({' OR '.join([f'instr(s.{column}, ?) > 0'] * len(wanted))})", wanted)]
    return []


def _day_conditions(key: Key) -> list[Condition]:
    if isinstance(key, PeriodKey) and key.date_tag == START_DATE:
        return _between_days((key.earliest or "")[:8], (key.latest or "")[:8])
    if not isinstance(key, ValueKey) or key.match.tag != START_DATE:
        return []
    match key.match:
        case Between(_, lowest, highest):
            return _between_days(lowest or "", highest or "")
        case OneOf(_, (day,)):
            return _between_days(day, day)
        case _:
            return []


def _between_days(earliest: str, latest: str) -> list[Condition]:
    """Return what keeps other days out; a day that is none of the calendar's is looked at more closely."""
    wanted = (("s.start_day >= ?", earliest), ("s.start_day <= ?", latest))
    return [(f"(length(s.start_day) <> 8 OR {text})", [day]) for text, day in wanted if is_date(day)]
