"""The tables of transforms and their steps: a step is told by the first key of its action."""

from __future__ import annotations

from isocenter.routing.configuration import kinds
from isocenter.routing.configuration.section import Key, Section
from isocenter.routing.transforms.step import (
    Affix,
    Copy,
    MapOtherwise,
    MapValues,
    Reason,
    Recode,
    Remove,
    RemovePrivate,
    Replace,
    Rewrite,
    SetValue,
    Transform,
)

STEPS = (
    Section(
        SetValue,
        (
            Key("set", kinds.ATTRIBUTE, "The attribute that is given a value.", field="path"),
            Key("to", kinds.VALUES, "The value, or a list of values; an empty list empties it.", field="values"),
        ),
        help="Give an attribute a value.",
    ),
    Section(
        Remove,
        (Key("remove", kinds.ATTRIBUTE, "The attribute that is taken away.", field="path"),),
        help="Take an attribute away.",
    ),
    Section(
        Copy,
        (
            Key("copy", kinds.ATTRIBUTE, "The attribute whose values are copied.", field="source"),
            Key("into", kinds.ATTRIBUTE, "The attribute that gets them.", field="target"),
        ),
        help="Give an attribute the values of another one.",
    ),
    Section(
        Affix,
        (
            Key("extend", kinds.ATTRIBUTE, "The attribute whose values get longer.", field="path"),
            Key("prefix", kinds.LINE, "What is put before each value, unless it stands there."),
            Key("suffix", kinds.LINE, "What is put behind each value, unless it stands there."),
        ),
        help="Put texts before and behind each value.",
    ),
    Section(
        Replace,
        (
            Key("replace", kinds.ATTRIBUTE, "The attribute whose values are changed.", field="path"),
            Key("find", kinds.TEXT, "The text that is replaced, wherever it occurs."),
            Key("by", kinds.TEXT, "What stands in its place."),
        ),
        help="Replace a text in each value.",
    ),
    Section(
        Rewrite,
        (
            Key("rewrite", kinds.ATTRIBUTE, "The attribute whose values are written anew.", field="path"),
            Key("like", kinds.TEXT, "The pattern of values that are; `*` and `?` stand for parts.", field="pattern"),
            Key("as", kinds.TEXT, "The new value; `{1}` to `{9}` stand for the parts, `{0}` for all.", field="result"),
        ),
        help="Write values of a pattern anew.",
    ),
    Section(
        MapValues,
        (
            Key("map", kinds.ATTRIBUTE, "The attribute whose values are looked up.", field="path"),
            Key("values", kinds.VALUE_TABLE, "Values and what stands in their place.", field="table"),
            Key("otherwise", kinds.choice(MapOtherwise), "What becomes of a value that is not in the table."),
        ),
        help="Replace values by a table.",
    ),
    Section(
        Recode,
        (Key("character_set", kinds.LINE, "As SpecificCharacterSet names it; `ISO_IR 192` is UTF-8."),),
        help="Write all text in another character set.",
    ),
    Section(
        RemovePrivate,
        (
            Key(
                "keep_private_of",
                kinds.TEXTS,
                "Creators whose attributes stay; `[]` keeps none.",
                field="kept_creators",
            ),
        ),
        help="Take all private attributes away; where some stand behind the pixel data, everything that stands there.",
    ),
)
"""By the name of their first key."""

TRANSFORM = Section(
    Transform,
    (
        Key(
            "keep_originals",
            kinds.BOOLEAN,
            "Whether original values go along in OriginalAttributesSequence; false where they are to stay here.",
            field="keeps_originals",
        ),
        Key("reason", kinds.choice(Reason), "What is told there as the reason."),
    ),
)
"""Without its steps."""
WHEN = Key("when", kinds.CONDITION, "The step is made only where this holds.")
