"""Bring one study to a FHIR server: look at it, look there, write what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from isocenter.archive.archive import Archive
from isocenter.domain.identifiers import DEFAULT_PARTITION
from isocenter.fhir.client import FhirClient
from isocenter.fhir.mapping.endpoint import endpoint_search
from isocenter.fhir.mapping.facts import Looked, Reading
from isocenter.fhir.mapping.imaging_study import CastStudy, study_search
from isocenter.fhir.mapping.observation import observation_search
from isocenter.fhir.mapping.patient import PatientNaming, identifier_of
from isocenter.fhir.mapping.plan import Found, Plan, plan_removal, plan_study
from isocenter.fhir.mapping.problem import Problem
from isocenter.fhir.mapping.resource import Resource, listed
from isocenter.fhir.study_state import StudyReader, StudyState
from isocenter.ports.fhir_ledger import CastError, ErrorKind, OpenStudy, StudyName

REPORT_MODALITY = "SR"
ERRORS_PER_STUDY_MAX = 200
"""That are kept one by one; thousands of the same tell nobody more."""
WITHOUT_SYSTEM = Problem(
    "IssuerOfPatientID", "has no value, and fhir.patient_system is not set: nobody knows whose PatientID it is", True
)


@dataclass(frozen=True, slots=True)
class CastOptions:
    """What an operator chose about the cast."""

    dicomweb_url: str
    naming: PatientNaming
    reading: Reading = field(default_factory=Reading)
    lists_instances: bool = True

    def dicomweb_url_of(self, partition_name: str) -> str:
        """Return the address of the service for a partition."""
        is_default = partition_name == DEFAULT_PARTITION
        return self.dicomweb_url if is_default else f"{self.dicomweb_url}/partitions/{partition_name}"


@dataclass(frozen=True, slots=True)
class CastResult:
    """What became of a study."""

    is_changed: bool
    """Whether anything was written."""
    errors: tuple[CastError, ...] = ()
    """What was left out, and why."""


class StudyCaster:
    """Cast studies, one at a time."""

    def __init__(self, archive: Archive, client: FhirClient, options: CastOptions) -> None:
        self._client = client
        self._options = options
        self._reader = StudyReader(archive, options.reading)

    def cast(self, open_study: OpenStudy, *, sequence: int = 0) -> CastResult:
        """Bring a study to the server as it is now.

        Raises FhirRefused, FhirConflict, FhirUnavailable, FhirNotUsable, and what the archive raises.
        """
        study = open_study.study
        state = self.read(study)
        errors = tuple(_errors(study, state.with_problems, sequence))
        plan = self._plan(study, state, open_study.removed)
        if not plan.is_empty:
            self._client.carry_out(plan)
        return CastResult(not plan.is_empty, errors)

    def read(self, study: StudyName) -> StudyState:
        """Return what can be cast of a study: instances of which nobody knows the patient cannot."""
        state = self._reader.read(study)
        unknown = [one for one in state.instances if identifier_of(one.patient, self._options.naming) is None]
        if not unknown:
            return state
        gone = {one.order for one in unknown}
        return StudyState(
            tuple(one for one in state.instances if one.order not in gone),
            (*state.with_problems, *(Looked(one.identifier, None, (WITHOUT_SYSTEM,)) for one in unknown)),
        )

    def _plan(self, study: StudyName, state: StudyState, removed: frozenset[str]) -> Plan:
        client, uid = self._client, study.study_instance_uid
        url = self._options.dicomweb_url_of(study.partition_name)
        studies = client.search("ImagingStudy", study_search(uid))
        gone = removed - {one.identifier.sop_instance_uid for one in state.instances}
        observations = self._observations(uid, state, studies)
        if not state.instances:
            return plan_removal(uid, url, gone, Found(studies=studies, observations=observations))
        cast = CastStudy(uid, state.instances, url, self._options.lists_instances, gone)
        identifier = identifier_of(cast.newest.patient, self._options.naming)
        assert identifier is not None
        found = Found(
            patients=client.search("Patient", identifier.search()),
            endpoints=client.search("Endpoint", endpoint_search(url)),
            studies=studies,
            observations=observations,
        )
        return plan_study(cast, identifier, found)

    def _observations(self, study_instance_uid: str, state: StudyState, studies: Sequence[Resource]) -> list[Resource]:
        """Return the observations of a study on the server, where it can have any: of most nobody needs to ask."""
        has_report = any(one.doses for one in state.instances)
        had_report = any(_is_report(series) for study in studies for series in listed(study, "series"))
        if not self._options.reading.takes_doses or not (has_report or had_report):
            return []
        return self._client.search("Observation", observation_search(study_instance_uid))


def _is_report(series: Any) -> bool:
    modality = series.get("modality") if isinstance(series, dict) else None
    return isinstance(modality, dict) and modality.get("code") == REPORT_MODALITY


def _errors(study: StudyName, looked: tuple[Looked, ...], sequence: int) -> Iterator[CastError]:
    """Yield what is wrong with instances, those first that are left out, as far as that is kept."""
    found = [
        CastError(
            ErrorKind.DICOM if problem.is_required else ErrorKind.TAG,
            study,
            problem.reason,
            one.identifier.series_instance_uid,
            one.identifier.sop_instance_uid,
            problem.attribute,
            sequence,
        )
        for one in looked
        for problem in one.problems
    ]
    found.sort(key=lambda error: error.kind is ErrorKind.TAG)
    yield from found[:ERRORS_PER_STUDY_MAX]
