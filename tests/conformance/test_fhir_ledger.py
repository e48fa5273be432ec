"""What every store of what a cast to a FHIR server keeps does."""

from __future__ import annotations

from dataclasses import replace

from isocenter.ports.fhir_ledger import CastError, ErrorKind, FhirLedger, OpenStudy, Standing, StudyName

FIRST, SECOND, ELSEWHERE = StudyName("1.1"), StudyName("1.2"), StudyName("1.1", "other")
TAG = CastError(ErrorKind.TAG, FIRST, "is not a date", "1.1.1", "1.1.1.1", "StudyDate", 7)
DICOM = CastError(ErrorKind.DICOM, FIRST, "is required", "1.1.1", "1.1.1.2", "Modality", 8)
SHELVED = CastError(ErrorKind.FHIR, SECOND, "The FHIR server answered 422.", sequence=9)


def test_nothing_is_kept_of_studies_that_were_cast_whole(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.settle(FIRST, [], now=1.0)
    assert fhir_ledger.errors(limit=9) == []
    assert fhir_ledger.open_studies(limit=9) == []
    assert fhir_ledger.counts() == dict.fromkeys(ErrorKind, 0)


def test_errors_are_told_with_their_times_the_last_first(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.settle(FIRST, [TAG, DICOM], now=1.0)
    fhir_ledger.put_off(OpenStudy(SECOND), [SHELVED], now=2.0)
    found = fhir_ledger.errors(limit=9)
    assert found[0] == replace(SHELVED, first_at=2.0, last_at=2.0)
    assert {(one.kind, one.attribute, one.last_at) for one in found[1:]} == {
        (ErrorKind.TAG, "StudyDate", 1.0),
        (ErrorKind.DICOM, "Modality", 1.0),
    }
    assert fhir_ledger.errors(limit=1) == found[:1]
    assert [one.kind for one in fhir_ledger.errors(kind=ErrorKind.TAG, limit=9)] == [ErrorKind.TAG]
    assert {one.study for one in fhir_ledger.errors(study=FIRST, limit=9)} == {FIRST}
    assert fhir_ledger.counts() == {
        ErrorKind.TAG: 1,
        ErrorKind.DICOM: 1,
        ErrorKind.FHIR: 1,
        ErrorKind.TRANSIENT: 0,
    }


def test_an_error_that_lasts_keeps_its_first_time_and_one_that_is_mended_goes(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.settle(FIRST, [TAG, DICOM], now=1.0)
    fhir_ledger.settle(FIRST, [replace(TAG, reason="is not a day of the calendar", sequence=12)], now=5.0)
    [left] = fhir_ledger.errors(limit=9)
    assert (left.first_at, left.last_at, left.sequence, left.reason) == (1.0, 5.0, 12, "is not a day of the calendar")
    fhir_ledger.settle(FIRST, [], now=6.0)
    assert fhir_ledger.errors(limit=9) == []


def test_the_same_study_of_another_partition_is_another_one(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.put_off(OpenStudy(FIRST), [TAG], now=1.0)
    fhir_ledger.put_off(OpenStudy(ELSEWHERE), [replace(TAG, study=ELSEWHERE)], now=1.0)
    fhir_ledger.settle(FIRST, [], now=2.0)
    assert fhir_ledger.open_study(FIRST) is None
    assert fhir_ledger.open_study(ELSEWHERE) == OpenStudy(ELSEWHERE)
    assert [one.study for one in fhir_ledger.errors(limit=9)] == [ELSEWHERE]


def test_a_study_that_is_put_off_is_kept_as_it_was_put_off(fhir_ledger: FhirLedger) -> None:
    kept = OpenStudy(FIRST, due_at=10.0, attempts=2, removed=frozenset({"1.9", "1.8"}))
    fhir_ledger.put_off(OpenStudy(FIRST, due_at=3.0, attempts=1), [], now=1.0)
    fhir_ledger.put_off(kept, [], now=2.0)
    assert fhir_ledger.open_studies(limit=9) == [kept]
    assert fhir_ledger.open_study(FIRST) == kept


def test_studies_are_due_when_their_time_has_come_and_wait_for_a_person_without_one(fhir_ledger: FhirLedger) -> None:
    for study, due_at in ((FIRST, None), (SECOND, 10.0), (ELSEWHERE, 5.0)):
        fhir_ledger.put_off(OpenStudy(study, due_at), [], now=1.0)
    assert fhir_ledger.open_studies(due_before=4.0, limit=9) == []
    assert [one.study for one in fhir_ledger.open_studies(due_before=10.0, limit=9)] == [ELSEWHERE, SECOND]
    assert [one.study for one in fhir_ledger.open_studies(due_before=10.0, limit=1)] == [ELSEWHERE]
    assert [one.study for one in fhir_ledger.open_studies(limit=9)] == [ELSEWHERE, SECOND, FIRST]


def test_who_asks_for_a_study_makes_it_due_and_changes_nothing_else(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.put_off(OpenStudy(FIRST, None, 3, frozenset({"1.9"})), [TAG], now=1.0)
    fhir_ledger.ask_for([FIRST, SECOND], due_at=4.0)
    assert fhir_ledger.open_study(FIRST) == OpenStudy(FIRST, 4.0, 3, frozenset({"1.9"}))
    assert fhir_ledger.open_study(SECOND) == OpenStudy(SECOND, 4.0)
    assert [one.kind for one in fhir_ledger.errors(limit=9)] == [ErrorKind.TAG]


def test_how_a_cast_goes_is_kept_by_name(fhir_ledger: FhirLedger) -> None:
    assert fhir_ledger.standing("fhir:a") == Standing()
    fhir_ledger.note("fhir:a", succeeded_at=1.0, failed_at=None, failure="")
    fhir_ledger.note("fhir:a", succeeded_at=1.0, failed_at=2.0, failure="It does not answer.")
    assert fhir_ledger.standing("fhir:a") == Standing(1.0, 2.0, "It does not answer.")
    assert fhir_ledger.standing("fhir:b") == Standing()


def test_a_wish_for_a_rerun_stays_until_it_is_taken_up(fhir_ledger: FhirLedger) -> None:
    fhir_ledger.want_rerun("fhir:a", after=41)
    fhir_ledger.note("fhir:a", succeeded_at=1.0, failed_at=None, failure="")
    assert fhir_ledger.standing("fhir:a") == Standing(1.0, None, "", 41)
    fhir_ledger.want_rerun("fhir:a", after=None)
    assert fhir_ledger.standing("fhir:a") == Standing(1.0, None, "")
