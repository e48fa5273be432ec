from __future__ import annotations

import re

import pytest

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.difference import compare_configurations
from isocenter.routing.configuration.problem import InvalidConfiguration
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.prefetch.rule import BodyPartMatch, FetchBy, TriggerKind
from tests.support.shared_data import REPOSITORY

_FILE = """
[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@10.0.2.4:4242"

[destinations.disk]
kind = "folder"
path = "/images"

[prefetch.ct]
sources = ["pacs"]
on = ["order", "study"]
for_modalities = ["CT"]
body_part = "any"
age_max = "1825d"
count_max = 2
fetch_by = "get"
synonyms = { "RAD 0815" = "chest" }
"""


def _read(text: str) -> Configuration:
    return read_configuration(text, file="channels.toml").configuration


def test_a_rule_for_prefetching_stands_beside_the_channels() -> None:
    (rule,) = _read(_FILE).prefetch
    assert (rule.name, rule.sources, rule.on) == ("ct", ("pacs",), (TriggerKind.ORDER, TriggerKind.STUDY))
    assert (rule.for_modalities, rule.body_part, rule.fetch_by) == (("CT",), BodyPartMatch.ANY, FetchBy.GET)
    assert (rule.age_max_s, rule.count_max, rule.synonyms) == (1825 * 86400, 2, (("RAD 0815", "chest"),))


def test_a_destination_that_is_only_searched_is_in_use() -> None:
    warnings = read_configuration(_FILE, file="channels.toml").warnings
    assert [warning.key for warning in warnings] == ["destinations.disk"]


@pytest.mark.parametrize(
    ("sound", "wrong", "key", "says"),
    [
        ('sources = ["pacs"]', 'sources = ["pax"]', "prefetch.ct.sources[1]", "did you mean pacs?"),
        ('sources = ["pacs"]', 'sources = ["disk"]', "prefetch.ct.sources[1]", "cannot be searched"),
        ('sources = ["pacs"]', "sources = []", "prefetch.ct.sources", "at least one"),
        ('["order", "study"]', '["orders"]', "prefetch.ct.on", '"order"'),
        ('["CT"]', '["ct scan"]', "prefetch.ct.for_modalities", "list of modalities"),
        ('"chest" }', '"thorax" }', "prefetch.ct.synonyms", "no region 'thorax'"),
        ("count_max = 2", "count_max = 0", "prefetch.ct.count_max", "from 1"),
        ("count_max = 2", 'messages = ["ORM"]', "prefetch.ct.messages", "message types"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_at_its_key(sound: str, wrong: str, key: str, says: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        _read(_FILE.replace(sound, wrong))
    (problem,) = caught.value.problems
    assert problem.key == key
    assert says in problem.message


def test_a_rule_that_comes_changes_or_goes_is_told() -> None:
    without = _read(_FILE.partition("[prefetch.ct]")[0])
    changed = _read(_FILE.replace("count_max = 2", "count_max = 4"))
    told = [compare_configurations(*pair) for pair in ((without, _read(_FILE)), (_read(_FILE), changed))]
    assert [str(one) for (one,) in told] == [
        'rule for prefetching ct is added: it searches ["pacs"]',
        "rule for prefetching ct is changed: count_max was 2 and is 4",
    ]


def test_the_rule_of_the_how_to_is_sound() -> None:
    page = (REPOSITORY / "docs" / "how-to" / "prefetch.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    read = read_configuration(text, file="prefetch.md")
    assert [rule.name for rule in read.configuration.prefetch] == ["ct-and-mr"]
    assert read.warnings == ()
