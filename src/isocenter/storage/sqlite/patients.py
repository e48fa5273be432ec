"""How patients are told apart in the table of studies: by PatientID and its issuer.

A patient is shown by the study of theirs that came last, aliased `s`; the others are counted. The fragments leave
`{bound}` open for what keeps later studies out of a listing.
"""

from __future__ import annotations

from isocenter.domain.attributes import (
    NUMBER_OF_PATIENT_RELATED_INSTANCES,
    NUMBER_OF_PATIENT_RELATED_SERIES,
    NUMBER_OF_PATIENT_RELATED_STUDIES,
)

SAME_PATIENT = (
    "{other}.partition_key = s.partition_key AND {other}.patient_id IS s.patient_id "
    "AND {other}.issuer_of_patient_id IS s.issuer_of_patient_id "
    "AND {other}.study_key >= iif(s.patient_id IS NULL, s.study_key, 0) "
    "AND {other}.study_key <= iif(s.patient_id IS NULL, s.study_key, 9223372036854775807)"
)
"""A study without PatientID is a patient of its own. The ends of keys let the index by patient answer that too."""
IS_LATEST = (
    "(s.patient_id IS NULL OR NOT EXISTS (SELECT 1 FROM study n WHERE n.partition_key = s.partition_key "
    "AND n.patient_id = s.patient_id AND n.issuer_of_patient_id IS s.issuer_of_patient_id "
    "AND n.study_key > s.study_key{bound}))"
)
LATEST_OF = (
    "iif(bs.patient_id IS NULL, bs.study_key, (SELECT max(n.study_key) FROM study n "
    "WHERE n.partition_key = bs.partition_key AND n.patient_id = bs.patient_id "
    "AND n.issuer_of_patient_id IS bs.issuer_of_patient_id{bound}))"
)

_COUNTED = (
    (NUMBER_OF_PATIENT_RELATED_STUDIES, "count(*)"),
    (NUMBER_OF_PATIENT_RELATED_SERIES, "sum(c.number_of_series)"),
    (NUMBER_OF_PATIENT_RELATED_INSTANCES, "sum(c.number_of_instances)"),
)


def newest_bound(alias: str, *, is_bound: bool) -> str:
    """Return the condition that keeps studies out which came after a listing began."""
    return f" AND {alias}.study_key <= :newest" if is_bound else ""


def patient_counts(bound: str) -> list[tuple[int, str]]:
    """Return tag and expression of each count over the studies of the patient of `s`, which are called `c`."""
    where = SAME_PATIENT.format(other="c") + bound
    return [(tag, f"(SELECT CAST({sums} AS TEXT) FROM study c WHERE {where})") for tag, sums in _COUNTED]
