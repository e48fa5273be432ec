"""Matching by the letter of PS3.4 C.2.2.2 over data sets of pydicom, one by one: slow, and hard to get wrong."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from fractions import Fraction

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from isocenter.domain.identifiers import Level
from tests.support.search_questions import UID_KEYWORDS

OF_A_STUDY = {"ModalitiesInStudy": "Modality", "SOPClassesInStudy": "SOPClassUID"}
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})


def find(
    stored: Sequence[Dataset],
    keys: Mapping[str, str],
    *,
    level: Level = Level.STUDY,
    study_instance_uid: str | None = None,
    options: frozenset[str] = frozenset(),
) -> set[str]:
    """Return the UIDs of what matches; every key of it by any of its instances."""
    uid_of = UID_KEYWORDS[level]
    groups: dict[str, list[Dataset]] = {}
    for dataset in stored:
        if study_instance_uid in (None, dataset.StudyInstanceUID):
            groups.setdefault(dataset[uid_of].value, []).append(dataset)
    by_sequence: dict[str, dict[str, str]] = {}
    for path, text in keys.items():
        outer, _, inner = path.partition(".")
        by_sequence.setdefault(outer if inner else "", {})[inner or outer] = text
    return {
        uid
        for uid, instances in groups.items()
        if all(_fits(instances, sequence, wanted, level, options) for sequence, wanted in by_sequence.items())
    }


def _fits(
    instances: Sequence[Dataset], sequence: str, wanted: Mapping[str, str], level: Level, options: frozenset[str]
) -> bool:
    if sequence:
        items = [item for instance in instances for item in instance.get(sequence, [])]
        return any(all(_key_fits([item], *key, options) for key in wanted.items()) for item in items)
    renamed = {
        ("ModalitiesInStudy" if key == "Modality" and level is Level.STUDY else key): text
        for key, text in wanted.items()
    }
    return all(_key_fits(instances, key, text, options) for key, text in renamed.items())


def _key_fits(datasets: Sequence[Dataset], keyword: str, text: str, options: frozenset[str]) -> bool:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    values = [value for dataset in datasets for value in _values(dataset, OF_A_STUDY.get(keyword, keyword))]
    text = text.strip(" ")
    if not text.strip("*"):
        return True
    if text == '""' and "emptyvalue" in options:
        return not values
    if vr == "PN" and "fuzzy" in options and not re.search(r"[*?]", text):
        return any(_fuzzy(value, text) for value in values)
    if dictionary_VM(tag) == "1" and vr not in ("UI", "CS", "IS"):
        return any(_value_fits(value, text, vr, keyword) for value in values)
    wanted = text.split("\\")
    found = [any(_value_fits(value, one, vr, keyword) for value in values) for one in wanted]
    return all(found) if "multiplevalue" in options and vr != "UI" else any(found)


def _values(dataset: Dataset, keyword: str) -> list[str]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [str(one) for one in several if str(one)]


def _value_fits(value: str, text: str, vr: str, keyword: str) -> bool:
    if vr in ("DA", "TM"):
        first, dash, last = text.partition("-")
        ends = (first, last) if dash else (text, text)
        return (not ends[0] or _instant(ends[0], "0") <= _instant(value, "0")) and (
            not ends[1] or _instant(value, "0") <= _instant(ends[1], "9")
        )
    if vr in ("IS", "DS"):
        return Fraction(value) == Fraction(text)
    if vr == "PN":
        return _name_fits(value, text)
    if vr == "CS" or keyword.endswith("Description"):
        value, text = value.casefold(), text.casefold()
    return _like(value, text) if vr in _WILD else value == text


def _instant(text: str, filler: str) -> str:
    """Return a date or a time with as many digits as either can have."""
    return text.replace(".", "").ljust(12, filler) if len(text) != 8 else text


def _like(value: str, pattern: str) -> bool:
    letters = {"*": ".*", "?": "."}
    return re.fullmatch("".join(letters.get(one, re.escape(one)) for one in pattern), value, re.DOTALL) is not None


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def _name_fits(value: str, text: str) -> bool:
    groups = [_plain(group) for group in value.split("=")]
    wanted = [_plain(group) for group in text.split("=")]
    if len(wanted) == 1 and not wanted[0].isascii():
        return any(_like(group, wanted[0]) for group in groups)
    groups += [""] * (len(wanted) - len(groups))
    return all(not one.strip("*") or _like(group, one) for group, one in zip(groups, wanted, strict=False))


def _fuzzy(value: str, text: str) -> bool:
    have, wanted = re.split(r"[\^= ]+", _plain(value)), re.split(r"[\^= ]+", _plain(text))
    starts = range(len(have) - len(wanted) + 1)
    return any(all(have[at + n].startswith(word) for n, word in enumerate(wanted)) for at in starts)
