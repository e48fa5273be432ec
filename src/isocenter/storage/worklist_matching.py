"""What it means that an item of the work list fits a query: one set of rules for every adapter (PS3.4 K.2.2.2).

A value of several fits where one of them does (K.2.2.3). A person name fits as a whole or by one of its groups, so that
a name typed in letters finds one that is written in two scripts.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.domain.fitting import value_fits
from isocenter.domain.forms import Form, form_of, to_form
from isocenter.domain.query import Comparison
from isocenter.domain.values import Values, first_text, items, texts
from isocenter.domain.worklist import (
    SCHEDULED_PROCEDURE_STEP_SEQUENCE,
    Key,
    PeriodKey,
    SequenceKey,
    ValueKey,
    WorklistQuery,
)


def fitting_steps(values: Values, query: WorklistQuery) -> list[int]:
    """Return the numbers of the steps of an item that fit, whatever their state; an item without any has step 0."""
    of_item, of_step = split_keys(query.keys)
    if not all(_fits(key, values) for key in of_item):
        return []
    steps = items(values, SCHEDULED_PROCEDURE_STEP_SEQUENCE) or [{}]
    return [number for number, step in enumerate(steps) if all(_fits(key, step) for key in of_step)]


def split_keys(keys: Sequence[Key]) -> tuple[list[Key], list[Key]]:
    """Return the keys of an item, and those of its scheduled steps."""
    of_item: list[Key] = []
    of_step: list[Key] = []
    for key in keys:
        if isinstance(key, SequenceKey) and key.tag == SCHEDULED_PROCEDURE_STEP_SEQUENCE:
            of_step += key.keys
        else:
            of_item.append(key)
    return of_item, of_step


def _fits(key: Key, values: Values) -> bool:
    match key:
        case SequenceKey(tag, keys):
            return not keys or any(all(_fits(one, item) for one in keys) for item in items(values, tag))
        case PeriodKey():
            return _fits_period(key, values)
        case ValueKey(match, vr):
            found = texts(values, match.tag) or [""]
            return any(value_fits(match, vr, text) for text in (_with_groups(found) if vr == "PN" else found))


def _with_groups(names: Sequence[str]) -> list[str]:
    return [text for name in names for text in (name, *(name.split("=") if "=" in name else ())) if text or not name]


def _fits_period(key: PeriodKey, values: Values) -> bool:
    """Tell whether date and time lie in a period; where the time is not known, whether the day does."""
    day = first_text(values, key.date_tag)
    if not day:
        return False
    time = first_text(values, key.time_tag)
    if not time:
        earliest, latest = (key.earliest or "")[: len(day)], (key.latest or day)[: len(day)]
        return earliest <= day <= latest
    moment = day + to_form(Form.TIME, time)
    return (key.earliest is None or key.earliest <= moment) and (key.latest is None or moment <= key.latest)


def kept_text(vr: str, values: Sequence[str], comparison: Comparison) -> str:
    """Return values as one text in which a value in the same form can be looked for between backslashes."""
    form = form_of(vr, comparison)
    return "\\".join(["", *(to_form(form, value) for value in values), ""])
