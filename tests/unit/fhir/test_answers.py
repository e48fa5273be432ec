"""What answers mean, and that a server's own words stay with it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from isocenter.domain.errors import InvalidRequest, IsocenterError, Unauthenticated, Unavailable
from isocenter.fhir.answers import ISSUES_MAX, error_of, fhir_errors, retry_after_s
from isocenter.fhir.errors import FhirConflict, FhirNotUsable, FhirRefused, FhirUnavailable


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((408, 425, 429, 500, 502, 503, 504, 507), FhirUnavailable),
        ((401, 403, 301, 302, 307), FhirNotUsable),
        ((404, 409, 410, 412), FhirConflict),
        ((400, 405, 406, 413, 415, 422, 501), FhirRefused),
    ],
)
def test_each_status_says_whether_to_try_again(statuses: tuple[int, ...], kind: type[IsocenterError]) -> None:
    assert {type(error_of(status, None, {})) for status in statuses} == {kind}


def test_only_codes_and_paths_of_an_outcome_are_passed_on() -> None:
    outcome: dict[str, Any] = {
        "issue": [
            {"code": "invalid", "diagnostics": "Doe^John", "expression": ["ImagingStudy.series[0].uid", "Doe John"]},
            {"code": "Doe John!", "location": ["Patient.name"]},
            {"code": 7, "expression": "Doe"},
            "Doe",
        ]
    }
    message = error_of(422, outcome, {}).message
    assert message == "The FHIR server answered 422 (invalid ImagingStudy.series[0].uid; Patient.name)."
    assert "Doe" not in message
    many = {"issue": [{"code": f"c{number}"} for number in range(99)]}
    assert error_of(422, many, {}).message.count("; ") == ISSUES_MAX - 1
    assert error_of(422, {"issue": "odd"}, {}).message == "The FHIR server answered 422."


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "Sat, 21 Nov 2026 00:01:00 GMT", "date": "Sat, 21 Nov 2026 00:00:00 GMT"}, 60.0),
        ({"retry-after": "Sat, 21 Nov 2026 00:01:00 GMT"}, None),
        ({"retry-after": "9" * 12}, None),
        ({"retry-after": "soon", "date": "now"}, None),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds
    error = error_of(429, None, headers)
    assert isinstance(error, FhirUnavailable)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("x"), FhirUnavailable),
        (httpx.ConnectError("x"), FhirUnavailable),
        (httpx.DecodingError("x"), FhirUnavailable),
        (httpx.UnsupportedProtocol("x"), FhirNotUsable),
        (Unauthenticated("no token"), FhirNotUsable),
        (InvalidRequest("no address"), FhirNotUsable),
        (FhirRefused("x"), FhirRefused),
        (Unavailable("no token now"), Unavailable),
    ],
)
def test_what_fails_on_the_way_is_told_the_same_way(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, fhir_errors():
        raise error
    assert type(caught.value) is kind
