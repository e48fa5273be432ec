from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.routing.configuration.channel import Configuration
from isocenter.routing.configuration.problem import InvalidConfiguration, Problem
from isocenter.routing.configuration.read import read_configuration
from isocenter.routing.configuration.write import write_configuration
from tests.support.routing_configurations import configurations

HOSPITAL = """\
[channels.router]
description = "To the PACS and to the cloud"
source = { kind = "dimse", listen = "QIEROUTER@0.0.0.0:4007" }

[[channels.router.rules]]
name = "CT"
when = 'Modality = "CT"'
to = ["pacs", "cloud"]
transforms = ["names"]
then = "stop"

[[channels.router.rules]]
name = "rest"
otherwise = true
to = ["pacs"]

[destinations.pacs]
kind = "dimse"
remote = "ORTHANC@10.0.2.4:4242"
workers = 2

[[destinations.pacs.limits]]
during = "mon-fri 07:00-18:00"
rate = "2MB/s"

[destinations.cloud]
kind = "dicomweb"
url = "https://archive.example.org/v2"
retry = { age_max = "3d" }

[destinations.cloud.authentication]
kind = "oauth2"
token_url = "https://login.example.org/token"
client_id = "router"
client_secret = "cloud-client-secret"
scope = "https://dicom.example.org/.default"

[[transforms.names.steps]]
set = "InstitutionName"
to = "General Hospital"
"""


def _problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidConfiguration) as caught:
        read_configuration(text, file="channels.toml")
    assert caught.value.problems
    return caught.value.problems


def test_the_hospital_is_sound_and_leaves_nothing_to_be_warned_of() -> None:
    read = read_configuration(HOSPITAL, file="channels.toml")
    assert read.warnings == ()
    assert [channel.name for channel in read.configuration.channels] == ["router"]
    assert [rule.name for rule in read.configuration.channels[0].rules] == ["CT", "rest"]


@pytest.mark.parametrize(
    ("sound", "wrong", "key", "says"),
    [
        ('"QIEROUTER@0.0.0.0:4007"', '"QIEROUTER"', "channels.router.source.listen", "TITLE@HOST:PORT"),
        ('kind = "dimse", listen', 'kind = "dimsy", listen', "channels.router.source.kind", '"stow"'),
        (
            "when = 'Modality = \"CT\"'",
            "when = 'Modalty = \"CT\"'",
            "channels.router.rules[1].when",
            "did you mean Modality?",
        ),
        ('to = ["pacs", "cloud"]', 'to = ["pacs", "clowd"]', "channels.router.rules[1].to[2]", "did you mean cloud?"),
        ('to = ["pacs", "cloud"]', 'to = ["pacs", "pacs"]', "channels.router.rules[1].to[2]", "named twice"),
        (
            'transforms = ["names"]',
            'transforms = ["namez"]',
            "channels.router.rules[1].transforms[1]",
            "did you mean names?",
        ),
        ('then = "stop"', 'than = "stop"', "channels.router.rules[1].than", "did you mean then?"),
        ('then = "stop"', 'then = "halt"', "channels.router.rules[1].then", '"continue", "stop"'),
        ('name = "rest"', 'name = "CT"', "channels.router.rules[2].name", "Two rules"),
        ("otherwise = true", "otherwise = true\nwhen = 'Rows > 1'", "channels.router.rules[2].when", "no condition"),
        ('name = "rest"\n', "", "channels.router.rules[2]", "name is missing"),
        ("workers = 2", "workers = 200", "destinations.pacs.workers", "from 1 to 16"),
        ("workers = 2", 'workers = "two"', "destinations.pacs.workers", "from 1 to 16"),
        ('rate = "2MB/s"', 'rate = "2MB"', "destinations.pacs.limits[1].rate", '"20MB/s"'),
        ('during = "mon-fri 07:00-18:00"', 'during = "weekdays"', "destinations.pacs.limits[1].during", "Days are mon"),
        ('age_max = "3d"', 'age_max = "long"', "destinations.cloud.retry.age_max", '"7d"'),
        ('age_max = "3d"', "attempts = 5", "destinations.cloud.retry.attempts", "allowed are first_wait"),
        ("https://archive.example.org/v2", "ftp://archive.example.org", "destinations.cloud.url", "https://"),
        ("https://archive.", "https://me:mine@archive.", "destinations.cloud.url", "no password"),
        (
            'scope = "https',
            'resource = "x"\nscope = "https',
            "destinations.cloud.authentication",
            "Either scope or resource",
        ),
        ('client_id = "router"\n', "", "destinations.cloud.authentication", "client_id is missing"),
        (
            "workers = 2",
            'authentication = { kind = "none" }',
            "destinations.pacs.authentication",
            "Only a destination of kind dicomweb",
        ),
        ('set = "InstitutionName"', 'set = "SOPInstanceUID"', "transforms.names.steps[1]", "which instance this is"),
        (
            'set = "InstitutionName"',
            'put = "InstitutionName"',
            "transforms.names.steps[1]",
            "exactly one of the keys set",
        ),
        ('set = "InstitutionName"', 'set = "StudyDate"', "transforms.names.steps[1]", "cannot be one of VR DA"),
        ("[channels.router]", '[channels."r/o"]', "channels.r/o", "a name of letters"),
        ("[[transforms.names.steps]]", "[[transform.names.steps]]", "transform", "did you mean transforms?"),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_what_is_allowed(sound: str, wrong: str, key: str, says: str) -> None:
    assert sound in HOSPITAL
    problems = _problems(HOSPITAL.replace(sound, wrong))
    found = [problem for problem in problems if problem.key == key]
    assert found, problems
    assert says in found[0].message


def test_a_problem_names_file_and_line() -> None:
    text = HOSPITAL.replace("workers = 2", "workers = 200")
    (problem,) = _problems(text)
    assert problem.line == text.splitlines().index("workers = 200") + 1
    assert str(problem).startswith(f"channels.toml:{problem.line}: destinations.pacs.workers: ")


def test_all_problems_are_told_at_once_in_the_order_of_the_lines() -> None:
    text = HOSPITAL.replace("workers = 2", "workers = 0").replace('then = "stop"', "then = 1").replace('"3d"', '"x"')
    with pytest.raises(InvalidConfiguration) as caught:
        read_configuration(text, file="channels.toml")
    lines = [int(line.split(":")[1]) for line in caught.value.message.splitlines()]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_what_may_be_a_secret_is_not_shown() -> None:
    secret = "correct horse battery staple!"
    problems = _problems(HOSPITAL.replace("cloud-client-secret", secret))
    assert not any(secret in str(problem) for problem in problems)
    assert "the name of a secret" in problems[0].message


def test_two_listeners_cannot_have_one_port() -> None:
    other = '\n[channels.second]\nsource = { kind = "dimse", listen = "OTHER@127.0.0.1:4007" }\n'
    (problem,) = _problems(HOSPITAL + other)
    assert problem.key == "channels.second.source.listen"
    assert "taken by channel router" in problem.message


TRANSLATOR = """
[translators.cloud-as-pacs]
listen = "QIETOAZURE@0.0.0.0:4006"
upstream = "cloud"
callers = ["ORTHANC"]
"""


def test_a_translator_stands_beside_the_channels() -> None:
    read = read_configuration(HOSPITAL + TRANSLATOR, file="channels.toml")
    (translator,) = read.configuration.translators
    assert (translator.name, translator.upstream, translator.callers) == ("cloud-as-pacs", "cloud", ("ORTHANC",))
    assert str(translator.listen) == "QIETOAZURE@0.0.0.0:4006"
    assert translator.is_started


@pytest.mark.parametrize(
    ("sound", "wrong", "key", "says"),
    [
        ('upstream = "cloud"', 'upstream = "clout"', "translators.cloud-as-pacs.upstream", "did you mean cloud?"),
        ('upstream = "cloud"', 'upstream = "pacs"', "translators.cloud-as-pacs.upstream", "not of kind dicomweb"),
        ("4006", "4007", "translators.cloud-as-pacs.listen", "Port 4007 is taken by channel router"),
        ('upstream = "cloud"', "", "translators.cloud-as-pacs", "upstream is missing"),
    ],
)
def test_a_translator_needs_an_upstream_of_its_kind_and_a_port_of_its_own(
    sound: str, wrong: str, key: str, says: str
) -> None:
    (problem,) = _problems(HOSPITAL + TRANSLATOR.replace(sound, wrong))
    assert problem.key == key
    assert says in problem.message


GATEWAY = """
[gateways.old-pacs]
upstream = "pacs"
listen = "GATEWAY@0.0.0.0:11115"
keep = "2h"
"""


def test_a_gateway_stands_beside_the_channels() -> None:
    (gateway,) = read_configuration(HOSPITAL + GATEWAY, file="channels.toml").configuration.gateways
    assert (gateway.name, gateway.upstream, str(gateway.listen)) == ("old-pacs", "pacs", "GATEWAY@0.0.0.0:11115")
    assert (gateway.keep_s, gateway.prefers_move) == (7200.0, False)


@pytest.mark.parametrize(
    ("sound", "wrong", "key", "says"),
    [
        ('upstream = "pacs"', 'upstream = "packs"', "gateways.old-pacs.upstream", "did you mean pacs?"),
        ('upstream = "pacs"', 'upstream = "cloud"', "gateways.old-pacs.upstream", "not of kind dimse"),
        ("11115", "4007", "gateways.old-pacs.listen", "Port 4007 is taken by channel router"),
    ],
)
def test_a_gateway_needs_an_upstream_of_its_kind_and_a_port_of_its_own(
    sound: str, wrong: str, key: str, says: str
) -> None:
    (problem,) = _problems(HOSPITAL + GATEWAY.replace(sound, wrong))
    assert problem.key == key
    assert says in problem.message


def test_two_translators_cannot_have_one_title() -> None:
    other = TRANSLATOR.replace("cloud-as-pacs", "second").replace("4006", "4016")
    (problem,) = _problems(HOSPITAL + TRANSLATOR + other)
    assert problem.key == "translators.second.listen"
    assert "the title of translator cloud-as-pacs" in problem.message


def test_files_that_are_moved_need_a_place() -> None:
    (problem,) = _problems('[channels.in.source]\nkind = "folder"\npath = "in"\n')
    assert "moved_to" in problem.message


def test_what_is_allowed_and_hardly_meant_is_warned_of() -> None:
    text = HOSPITAL.replace("when = 'Modality = \"CT\"'\n", "").replace('transforms = ["names"]\n', "")
    warnings = read_configuration(text + '\n[channels.idle.source]\nkind = "stow"\n', file="c.toml").warnings
    assert {warning.key for warning in warnings} == {"channels.router.rules[2]", "transforms.names", "channels.idle"}


def test_what_is_no_toml_is_told_with_its_place() -> None:
    with pytest.raises(InvalidConfiguration, match=r"c\.toml: this is not TOML: .*line 1"):
        read_configuration("[channels\n", file="c.toml")


@settings(max_examples=80)
@given(configuration=configurations(), data=st.data())
def test_whatever_stands_in_the_place_of_a_value_is_read_or_told(
    configuration: Configuration, data: st.DataObject
) -> None:
    lines = write_configuration(configuration).splitlines()
    at = [number for number, line in enumerate(lines) if " = " in line]
    if not at:
        return
    chosen = data.draw(st.sampled_from(at))
    value = data.draw(
        st.sampled_from(["1", "-1", "true", '""', '"x"', "[]", "[[]]", "[1]", "{}", "1979-05-27", "nan", '"\\u0000"'])
    )
    lines[chosen] = lines[chosen].partition(" = ")[0] + " = " + value
    with suppress(InvalidConfiguration):
        read_configuration("\n".join(lines), file="c.toml")
