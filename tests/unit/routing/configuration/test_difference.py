from __future__ import annotations

import pytest
from hypothesis import given, settings

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.difference import Change, compare_configurations
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.configuration.write import tables_of
from tests.support.routing_configurations import configurations
from tests.unit.routing.configuration.test_read import GATEWAY, HOSPITAL, TRANSLATOR


def _told(before: str, after: str) -> list[str]:
    old, new = (read_configuration(text, file="c.toml").configuration for text in (before, after))
    return [str(difference) for difference in compare_configurations(old, new)]


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            "workers = 2",
            "workers = 4",
            ["destination pacs is changed: workers was left to its default and is 4 (used by router)"],
        ),
        (
            'Modality = "CT"',
            'Modality = "MR"',
            ["rule 'CT' of channel router is changed: when was 'Modality = \"CT\"' and is 'Modality = \"MR\"'"],
        ),
        (
            "4007",
            "4008",
            ['channel router is changed: source.listen was "QIEROUTER@0.0.0.0:4007" and is "QIEROUTER@0.0.0.0:4008"'],
        ),
        (
            '"General Hospital"',
            '"City Hospital"',
            [
                'transform names is changed: step 1 was { set = "InstitutionName", to = "General Hospital" } and is '
                '{ set = "InstitutionName", to = "City Hospital" } (used by router)'
            ],
        ),
        (
            "[[transforms.names.steps]]",
            '[[transforms.names.steps]]\nremove = "PatientComments"\n[[transforms.names.steps]]',
            [
                'transform names is changed: step 1 was { set = "InstitutionName", to = "General Hospital" } and is '
                '{ remove = "PatientComments" }; step 2 { set = "InstitutionName", to = "General Hospital" } is new '
                "(used by router)"
            ],
        ),
        (
            'name = "rest"',
            'name = "others"',
            [
                "rule 'rest' of channel router is removed: it was number 2 of 2",
                "rule 'others' of channel router is added: it is number 2 of 2",
            ],
        ),
        (
            "[channels.router]",
            '[channels.feed]\nsource = { kind = "feed" }\n[channels.router]',
            ["channel feed is added: its source is kind feed; it has 0 rules"],
        ),
    ],
)
def test_what_changes_is_told_in_words(was: str, now: str, told: list[str]) -> None:
    assert was in HOSPITAL
    assert _told(HOSPITAL, HOSPITAL.replace(was, now)) == told


def test_the_other_way_what_was_added_is_removed() -> None:
    extended = HOSPITAL + '\n[destinations.tape]\nkind = "folder"\npath = "tape"\n'
    assert _told(HOSPITAL, extended) == ["destination tape is added: kind folder"]
    assert _told(extended, HOSPITAL) == ["destination tape is removed"]


def test_a_rule_that_was_moved_is_told_once() -> None:
    rules = ["a", "b", "c", "d"]

    def text(order: list[str]) -> str:
        return '[channels.x.source]\nkind = "stow"\n' + "".join(
            f'[[channels.x.rules]]\nname = "{name}"\n' for name in order
        )

    assert _told(text(rules), text(["b", "c", "d", "a"])) == [
        "rule 'a' of channel x is moved: it stands behind 'd' now"
    ]
    assert _told(text(rules), text(["d", "a", "b", "c"])) == ["rule 'd' of channel x is moved: it is the first one now"]


@settings(max_examples=60)
@given(configurations())
def test_a_configuration_does_not_differ_from_itself(configuration: Configuration) -> None:
    assert compare_configurations(configuration, configuration) == ()


@settings(max_examples=60)
@given(before=configurations(), after=configurations())
def test_nothing_differs_only_where_both_say_the_same(before: Configuration, after: Configuration) -> None:
    differences = compare_configurations(before, after)
    assert bool(differences) is (tables_of(before) != tables_of(after))
    mirrored = compare_configurations(after, before)
    added = {(one.thing, one.name, one.channels) for one in differences if one.change is Change.ADDED}
    assert added == {(one.thing, one.name, one.channels) for one in mirrored if one.change is Change.REMOVED}


def test_a_gateway_that_comes_changes_or_goes_is_told() -> None:
    other = GATEWAY.replace("2h", "3h")
    assert _told(HOSPITAL, HOSPITAL + GATEWAY) == ["gateway old-pacs is added: it asks pacs"]
    assert _told(HOSPITAL + GATEWAY, HOSPITAL + other) == ['gateway old-pacs is changed: keep was "2h" and is "3h"']
    assert _told(HOSPITAL + GATEWAY, HOSPITAL)[0].startswith("gateway old-pacs is removed")


def test_a_translator_that_comes_changes_or_goes_is_told() -> None:
    other = TRANSLATOR.replace("4006", "4016")
    assert _told(HOSPITAL, HOSPITAL + TRANSLATOR) == [
        "translator cloud-as-pacs is added: it listens as QIETOAZURE@0.0.0.0:4006; it asks cloud"
    ]
    assert _told(HOSPITAL + TRANSLATOR, HOSPITAL + other) == [
        'translator cloud-as-pacs is changed: listen was "QIETOAZURE@0.0.0.0:4006" and is "QIETOAZURE@0.0.0.0:4016"'
    ]
    assert _told(HOSPITAL + TRANSLATOR, HOSPITAL)[0].startswith("translator cloud-as-pacs is removed")
