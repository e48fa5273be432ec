"""The SOP classes of query and retrieve, by operation and information model (PS3.4 C.6, B.5 of PS3.6)."""

from __future__ import annotations

from isocenter.dimse.codec.retrieve import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT, RetrieveModel

_ROOT = "1.2.840.10008.5.1.4.1.2."
FIND_MODELS: dict[str, RetrieveModel] = {
    _ROOT + "1.1": PATIENT_ROOT,
    _ROOT + "2.1": STUDY_ROOT,
    _ROOT + "3.1": PATIENT_STUDY_ONLY,
}
MOVE_MODELS: dict[str, RetrieveModel] = {
    _ROOT + "1.2": PATIENT_ROOT,
    _ROOT + "2.2": STUDY_ROOT,
    _ROOT + "3.2": PATIENT_STUDY_ONLY,
}
GET_MODELS: dict[str, RetrieveModel] = {
    _ROOT + "1.3": PATIENT_ROOT,
    _ROOT + "2.3": STUDY_ROOT,
    _ROOT + "3.3": PATIENT_STUDY_ONLY,
}
"""The third model is retired, and still asked for."""
