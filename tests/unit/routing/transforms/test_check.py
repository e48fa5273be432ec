from __future__ import annotations

import pytest

from isocenter.routing.rules.expression import Path, PathStep
from isocenter.routing.transforms.check import objections_to
from isocenter.routing.transforms.step import (
    Action,
    Affix,
    Copy,
    MapValues,
    Recode,
    Remove,
    RemovePrivate,
    Replace,
    Rewrite,
    SetValue,
)


def _path(*tags: int) -> Path:
    return Path(tuple(PathStep(tag) for tag in tags))


NAME, SOP_INSTANCE, STUDY, ROWS, CHARACTER_SET = 0x00100010, 0x00080018, 0x0020000D, 0x00280010, 0x00080005
PRIVATE, ICON, LUT, REQUEST, IMAGE_TYPE = 0x00091001, 0x00880200, 0x00281201, 0x00400275, 0x00080008


@pytest.mark.parametrize(
    "action",
    [
        SetValue(_path(NAME), ("Doe^Jane",)),
        SetValue(_path(NAME), ()),
        SetValue(_path(IMAGE_TYPE), ("DERIVED", "SECONDARY")),
        SetValue(_path(REQUEST, 0x00080050), ("A1",)),
        SetValue(_path(0x00280030), ("0.5", "0.5")),
        SetValue(_path(0x00280106), ("12",)),
        Remove(_path(PRIVATE)),
        Remove(_path(ICON)),
        Copy(_path(0x00080050), _path(0x00200010)),
        Affix(_path(0x00100020), prefix="GH-"),
        Replace(_path(NAME), "_", " "),
        Rewrite(_path(0x00080050), "A*-?", "{1}{2}{0}"),
        MapValues(_path(0x00180015), (("THORAX", "CHEST"),)),
        Recode("ISO_IR 192"),
        Recode("\\ISO 2022 IR 87"),
        RemovePrivate(("ACME",)),
    ],
)
def test_what_can_be_carried_out(action: Action) -> None:
    assert list(objections_to(action)) == []


@pytest.mark.parametrize(
    ("action", "says"),
    [
        (SetValue(_path(SOP_INSTANCE), ("1.2",)), "which instance this is"),
        (Remove(_path(STUDY)), "which instance this is"),
        (SetValue(_path(ROWS), ("5",)), "how the pixels are read"),
        (Affix(_path(ROWS), prefix="5"), "how the pixels are read"),
        (SetValue(_path(CHARACTER_SET), ("ISO_IR 192",)), "`character_set`"),
        (Remove(_path(0x04000561)), "record of earlier changes"),
        (SetValue(_path(PRIVATE), ("x",)), "is private"),
        (SetValue(_path(ICON), ("x",)), "no text"),
        (SetValue(_path(LUT), ("x",)), "no text"),
        (SetValue(_path(0x00080020), ("2026-01-01",)), "VR DA"),
        (SetValue(_path(NAME), ("a", "b")), "one value, not 2"),
        (SetValue(_path(NAME), ("a\\b",)), "list of values"),
        (SetValue(_path(0x00280106), ("x",)), "whole number of 16 bits"),
        (SetValue(Path((PathStep(IMAGE_TYPE, number=3),)), ("LOCALIZER",)), "leave the number"),
        (MapValues(_path(0x00080060), (("CT", "lower"),)), "VR CS"),
        (Affix(_path(NAME)), "nothing to put"),
        (Replace(_path(NAME), "", "x"), "is empty"),
        (Rewrite(_path(NAME), "A*", "{2}"), "{2} stands for nothing"),
        (Rewrite(_path(NAME), "A*", "{x}"), "{x} stands for nothing"),
        (Rewrite(_path(NAME), "*" * 300, ""), "at most"),
        (Copy(_path(REQUEST), _path(NAME)), "no text"),
        (Recode("ISO_IR 87"), "cannot be written"),
        (Recode("UTF-8"), "ISO_IR 192 is UTF-8"),
    ],
)
def test_what_cannot_is_told_before_any_instance_meets_it(action: Action, says: str) -> None:
    assert any(says in objection for objection in objections_to(action)), list(objections_to(action))
