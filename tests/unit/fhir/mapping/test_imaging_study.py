"""ImagingStudies: ours become what the archive says, those of others get our part and lose what we delete."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.fhir.mapping.coding import DCM, Code
from isocenter.fhir.mapping.facts import InstanceFacts, PatientFacts, SeriesFacts, StudyFacts
from isocenter.fhir.mapping.imaging_study import (
    CastStudy,
    changed_study,
    has_uid,
    is_ours,
    new_study,
    reduced_study,
    study_search,
)
from tests.support.fhir_rules import require_valid
from tests.support.instances import CT_IMAGE_STORAGE, identify

URL = "https://archive.example/v2"
OTHER = "https://pacs.example/v2"
UID = identify(1).study_instance_uid
REFERENCES = {"subject": "Patient/1", "endpoint": "Endpoint/2"}


def _instance(series: int, number: int, *, order: int | None = None, **values: Any) -> InstanceFacts:
    study = {
        name: values.pop(name)
        for name in ("accession_number", "description", "started", "procedure_codes")
        if name in values
    }
    return InstanceFacts(
        identify(1, series, number),
        CT_IMAGE_STORAGE,
        series * 100 + number if order is None else order,
        number,
        PatientFacts("4711"),
        StudyFacts(**study),
        SeriesFacts(values.pop("modality", "CT"), series, **values),
    )


def _study(*instances: InstanceFacts, **options: Any) -> CastStudy:
    return CastStudy(UID, instances, URL, **options)


def _made(*instances: InstanceFacts, **options: Any) -> dict[str, Any]:
    made = new_study(_study(*instances, **options), **REFERENCES)
    require_valid(made)
    return made


def _uids(study: dict[str, Any]) -> list[str]:
    return sorted(one["uid"] for series in study.get("series", ()) for one in series.get("instance", ()))


def test_a_new_study_has_everything_in_order() -> None:
    made = _made(
        _instance(2, 1, modality="SR", description="report"),
        _instance(1, 2, accession_number="B"),
        _instance(1, 1, accession_number="A"),
        _instance(2, 2, order=999, modality="SR", started="2026-01-02"),
    )
    assert [one["uid"] for one in made["series"]] == [identify(1, n).series_instance_uid for n in (1, 2)]
    assert [one["number"] for one in made["series"][0]["instance"]] == [1, 2]
    assert made["series"][0]["instance"][0]["sopClass"] == {"code": CT_IMAGE_STORAGE}
    assert made["modality"] == [{"system": DCM, "code": "CT"}, {"system": DCM, "code": "SR"}]
    assert [one["value"] for one in made["identifier"][1:]] == ["A", "B"]
    assert made["identifier"][1]["type"]["coding"][0]["code"] == "ACSN"
    assert (made["numberOfSeries"], made["numberOfInstances"]) == (2, 4)
    assert made["meta"] == {"source": URL}
    assert (made["subject"], made["endpoint"]) == ({"reference": "Patient/1"}, [{"reference": "Endpoint/2"}])


def test_the_newest_instance_holds_where_they_differ_and_notes_have_all() -> None:
    older = _instance(1, 1, order=1, description="CT", started="2026-01-01")
    newer = _instance(
        1, 2, order=2, description="CT head", started="2026-01-02", procedure_codes=(Code("P", None, None),)
    )
    made = _made(newer, older)
    assert (made["description"], made["started"]) == ("CT head", "2026-01-02")
    assert made["note"] == [{"text": "CT"}, {"text": "CT head"}]
    assert made["procedureCode"] == [{"coding": [{"code": "P"}]}]


def test_instances_can_be_counted_only() -> None:
    made = _made(_instance(1, 1), _instance(1, 2), lists_instances=False)
    assert "instance" not in made["series"][0]
    assert (made["series"][0]["numberOfInstances"], made["numberOfInstances"]) == (2, 2)


def test_a_study_of_ours_becomes_what_is_there_now_and_keeps_what_is_not_mapped() -> None:
    before = _made(_instance(1, 1, accession_number="A", description="x"), _instance(2, 1))
    before |= {"id": "9", "basedOn": [{"reference": "ServiceRequest/1"}], "status": "cancelled"}
    before["identifier"] += [{"system": "urn:ris", "value": "7"}, "odd"]
    before["series"][0]["bodySite"] = {"code": "HEAD"}
    before["series"][0]["instance"][0]["title"] = "scout"
    changed = changed_study(before, _study(_instance(1, 1, accession_number="B"), _instance(1, 3)), **REFERENCES)
    assert [one["uid"] for one in changed["series"]] == [identify(1, 1).series_instance_uid]
    assert changed["series"][0]["bodySite"] == {"code": "HEAD"}
    assert [one.get("title") for one in changed["series"][0]["instance"]] == ["scout", None]
    assert [one["value"] for one in changed["identifier"] if isinstance(one, dict)][1:] == ["B", "7"]
    assert changed["note"] == [{"text": "x"}], "a note may be a person's"
    assert "description" not in changed
    assert (changed["basedOn"], changed["status"], changed["id"]) == (before["basedOn"], "cancelled", "9")
    assert (changed["numberOfSeries"], changed["numberOfInstances"]) == (1, 2)


def test_another_patient_becomes_the_subject_of_a_study_of_ours() -> None:
    before = _made(_instance(1, 1))
    changed = changed_study(before, _study(_instance(1, 1)), subject="Patient/7", endpoint="Endpoint/2")
    assert changed["subject"] == {"reference": "Patient/7"}
    assert changed["endpoint"] == before["endpoint"]


def test_codes_that_others_gave_stay_where_we_have_none() -> None:
    before = _made(_instance(1, 1)) | {"procedureCode": [{"text": "theirs"}]}
    assert changed_study(before, _study(_instance(1, 1)), **REFERENCES)["procedureCode"] == [{"text": "theirs"}]


def _theirs(*instances: InstanceFacts) -> dict[str, Any]:
    made = new_study(CastStudy(UID, instances, OTHER), subject="Patient/5", endpoint="Endpoint/6")
    return made | {"id": "3"}


def test_a_study_of_others_gets_our_part() -> None:
    theirs = _theirs(_instance(1, 1, accession_number="T"), _instance(3, 1, modality="MR", started="2025-01-01"))
    ours = _study(_instance(1, 2, accession_number="A"), _instance(2, 1, modality="SR", started="2026-01-01"))
    changed = changed_study(theirs, ours, **REFERENCES)
    require_valid(changed)
    assert _uids(changed) == sorted(identify(1, *one).sop_instance_uid for one in ((1, 1), (1, 2), (2, 1), (3, 1)))
    assert changed["subject"] == {"reference": "Patient/5"}
    assert changed["started"] == "2025-01-01"
    assert changed["endpoint"] == [{"reference": "Endpoint/6"}, {"reference": "Endpoint/2"}]
    assert {one["code"] for one in changed["modality"]} == {"CT", "MR", "SR"}
    assert {one["value"] for one in changed["identifier"][1:]} == {"A", "T"}
    assert (changed["numberOfSeries"], changed["numberOfInstances"]) == (3, 4)
    assert changed["meta"]["source"] == OTHER
    assert changed_study(changed, ours, **REFERENCES) == changed


def test_where_instances_are_counted_only_those_that_others_list_stay_listed() -> None:
    theirs = _theirs(_instance(1, 1))
    joined = changed_study(theirs, _study(_instance(1, 2), _instance(2, 1), lists_instances=False), **REFERENCES)
    assert [len(one.get("instance", ())) for one in joined["series"]] == [2, 0]
    assert [one["numberOfInstances"] for one in joined["series"]] == [2, 1]


def test_of_a_study_of_others_only_what_we_deleted_goes() -> None:
    theirs = _theirs(_instance(1, 1), _instance(1, 2), _instance(2, 1))
    gone = frozenset({identify(1, 1, 2).sop_instance_uid, identify(1, 2, 1).sop_instance_uid, "1.2.3"})
    changed = changed_study(theirs, _study(_instance(1, 3), removed=gone), **REFERENCES)
    assert _uids(changed) == [identify(1, 1, 1).sop_instance_uid, identify(1, 1, 3).sop_instance_uid]
    assert (changed["numberOfSeries"], changed["numberOfInstances"]) == (1, 2)
    reduced = reduced_study(theirs, gone)
    assert _uids(reduced) == [identify(1, 1, 1).sop_instance_uid]
    assert reduced_study(theirs, {"1.2.3"}) == theirs


def test_a_study_of_others_of_which_nothing_is_left_stays_without_series() -> None:
    theirs = _theirs(_instance(1, 1))
    reduced = reduced_study(theirs, {identify(1, 1, 1).sop_instance_uid})
    assert "series" not in reduced
    assert (reduced["numberOfSeries"], reduced["numberOfInstances"]) == (0, 0)
    require_valid(reduced)


def test_whatever_else_stands_in_a_study_of_others_is_left_alone() -> None:
    odd = _theirs(_instance(1, 1)) | {"series": ["odd", {"uid": "1.9", "instance": ["odd"], "numberOfInstances": 1}]}
    assert reduced_study(odd, {"1.2"}) == odd | {"numberOfSeries": 2, "numberOfInstances": 1}
    counted = _theirs(_instance(1, 1)) | {
        "series": [{"uid": "1.9", "modality": {"code": "CT"}, "numberOfInstances": 7}]
    }
    assert changed_study(counted, _study(_instance(1, 1)), **REFERENCES)["numberOfInstances"] == 8


def test_a_study_is_known_by_its_uid_and_its_source() -> None:
    made = _made(_instance(1, 1))
    assert has_uid(made, UID)
    assert not has_uid(made, "1.2")
    assert is_ours(made | {"meta": {"source": f"{URL}#abc"}}, URL)
    assert not is_ours(made, OTHER)
    assert study_search(UID) == {"identifier": f"urn:dicom:uid|urn:oid:{UID}"}


def test_a_modality_of_several_words_is_a_code() -> None:
    assert _made(_instance(1, 1, modality="A \t B"))["modality"] == [{"system": DCM, "code": "A B"}]


_INSTANCES = st.lists(
    st.builds(
        lambda series, number, modality, text: _instance(
            series, number, modality=modality, accession_number=text, description=None
        ),
        st.integers(1, 3),
        st.integers(1, 4),
        st.sampled_from(["CT", "MR", "SR"]),
        st.sampled_from([None, "A", "B"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.identifier,
)


@given(_INSTANCES, _INSTANCES, st.integers())
def test_the_way_there_makes_no_difference(before: list[InstanceFacts], after: list[InstanceFacts], seed: int) -> None:
    """What is written is a function of what is there now, not of what was there before nor of any order."""
    shuffled = random.Random(seed).sample(after, len(after))
    fresh = new_study(_study(*after), **REFERENCES)
    changed = changed_study(new_study(_study(*before), **REFERENCES), _study(*shuffled), **REFERENCES)
    assert changed == fresh
    assert changed_study(fresh, _study(*shuffled), **REFERENCES) == fresh
    require_valid(fresh)


@given(_INSTANCES, _INSTANCES)
def test_what_others_have_survives_us(theirs: list[InstanceFacts], ours: list[InstanceFacts]) -> None:
    own = [replace(one, identifier=identify(1, 9, number)) for number, one in enumerate(ours, start=1)]
    resource = _theirs(*theirs)
    joined = changed_study(resource, _study(*own), **REFERENCES)
    require_valid(joined)
    assert set(_uids(resource)) < set(_uids(joined))
    left = reduced_study(joined, {one.identifier.sop_instance_uid for one in own})
    assert _uids(left) == _uids(resource)


@pytest.mark.parametrize("name", ["identifier", "note", "modality", "endpoint", "series"])
def test_elements_of_a_wrong_form_are_replaced(name: str) -> None:
    fresh = _made(_instance(1, 1, description="CT"))
    changed = changed_study(fresh | {name: "odd"}, _study(_instance(1, 1, description="CT")), **REFERENCES)
    assert changed[name] == fresh[name]
