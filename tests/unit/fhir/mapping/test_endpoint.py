from __future__ import annotations

import pytest

from isocenter.fhir.errors import FhirNotUsable
from isocenter.fhir.mapping.endpoint import choose_endpoint, endpoint_search, new_endpoint
from tests.support.fhir_rules import require_valid

URL = "https://archive.example/v2"


def test_an_endpoint_says_where_images_are() -> None:
    made = new_endpoint(URL)
    require_valid(made)
    assert made["name"] == f"DICOM WADO-RS endpoint {URL}"
    assert (made["status"], made["address"], made["payloadMimeType"]) == ("active", URL, ["application/dicom"])
    assert made["payloadType"] == [{"text": "DICOM WADO-RS"}]
    assert made["connectionType"]["code"] == "dicom-wado-rs"


def test_it_is_searched_by_its_whole_name_and_its_kind() -> None:
    system = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"
    assert endpoint_search(URL) == {
        "name:exact": f"DICOM WADO-RS endpoint {URL}",
        "connection-type": f"{system}|dicom-wado-rs",
    }


def test_the_one_of_that_name_is_chosen() -> None:
    own, other = new_endpoint(URL), new_endpoint(f"{URL}/partitions/a")
    assert choose_endpoint([other, own], URL) is own
    assert choose_endpoint([other], URL) is None


@pytest.mark.parametrize(
    "found",
    [[new_endpoint(URL) | {"address": "https://elsewhere.example"}], [new_endpoint(URL), new_endpoint(URL)]],
)
def test_one_that_leads_elsewhere_or_is_there_twice_stops_the_cast(found: list[dict[str, object]]) -> None:
    with pytest.raises(FhirNotUsable):
        choose_endpoint(found, URL)
