"""Which instances of the same study an object names, and in which series they lie."""

from __future__ import annotations

from isocenter.web.light.dataset_json import Dataset, items_of, text_of
from isocenter.web.light.place import Place

REFERENCES_MAX = 1_000
"""Links of one page; a key object selection has some dozen."""
_EVIDENCE = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")


def references_of(dataset: Dataset, place: Place) -> dict[str, Place]:
    """Return where the instances are that an object names, by SOP Instance UID (PS3.3 C.17.2.3, C.11.11)."""
    found: dict[str, Place] = {}
    studies = [dataset, *(item for keyword in _EVIDENCE for item in items_of(dataset, keyword))]
    for study in studies:
        if text_of(study, "StudyInstanceUID") != place.study_instance_uid:
            continue
        for series in items_of(study, "ReferencedSeriesSequence"):
            _add(found, series, place.series(text_of(series, "SeriesInstanceUID")))
    return found


def _add(found: dict[str, Place], series: Dataset, place: Place) -> None:
    if not place.series_instance_uid:
        return
    for keyword in ("ReferencedSOPSequence", "ReferencedImageSequence"):
        for item in items_of(series, keyword):
            sop_instance_uid = text_of(item, "ReferencedSOPInstanceUID")
            if sop_instance_uid and len(found) < REFERENCES_MAX:
                found[sop_instance_uid] = place.instance(sop_instance_uid)
