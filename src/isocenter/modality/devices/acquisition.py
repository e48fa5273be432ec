"""From an order to the instances of a study, well or badly made: the same bytes for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice

from isocenter.modality.device_output import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VENDOR_BLOCKS,
    PerformedStep,
    RequestedStep,
    Writing,
)
from isocenter.modality.devices.character_sets import find_character_set, written_in
from isocenter.modality.devices.instance import DeviceInstance, read_instance
from isocenter.modality.devices.misbehaviour import Misbehaviour
from isocenter.modality.devices.multiframe import make_multiframe
from isocenter.modality.devices.order import Order
from isocenter.modality.devices.performed_step import StepToTell
from isocenter.modality.devices.profile import DeviceProfile
from isocenter.modality.identifiers import derive_uid
from isocenter.modality.patients import STORY_PATIENTS, Patient
from isocenter.modality.plans import CtSeriesPlan, MrSeriesPlan, SeriesPlan, StudyPlan, reduced
from isocenter.modality.studies import iter_study

LATE_DESCRIPTION = "late reconstruction"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One study that a device makes."""

    profile: DeviceProfile
    order: Order
    seed: int
    begun_at: datetime
    ae_title: str
    """Of the device."""
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    slices: int | None = None
    """Of each series of slices; None for what the profile has."""
    reduction: int = 1
    """How many times fewer pixels a picture has along each edge."""

    @property
    def device_seed(self) -> int:
        """Return the seed of pictures and UIDs: two devices that make parts of one study share neither."""
        parts = f"{self.seed} {self.profile.modality} {self.order.scheduled_procedure_step_id}"
        return int.from_bytes(blake2b(parts.encode(), digest_size=6).digest(), "big")

    @property
    def study_instance_uid(self) -> str:
        """Return the UID of the study: the order's, where it has one."""
        patient_id, accession_number = self.order.patient.patient_id, self.order.accession_number
        return self.order.study_instance_uid or derive_uid(self.seed, patient_id, accession_number)

    @property
    def step(self) -> StepToTell:
        """Return the performed procedure step."""
        return StepToTell(
            sop_instance_uid=derive_uid(self.device_seed, self.study_instance_uid, "step"),
            performed_procedure_step_id=f"PPS{self.device_seed % 10**9:09d}",
            study_instance_uid=self.study_instance_uid,
            begun_at=self.begun_at,
            ae_title=self.ae_title,
        )

    @property
    def patient(self) -> Patient:
        """Return who stands in the images."""
        ordered, wrong = self.order.patient, self.misbehaviour
        if wrong.wrong_patient:
            names = [each for each in STORY_PATIENTS if each.patient_id != ordered.patient_id]
            ordered = names[self.seed % len(names)]
        if wrong.character_set is None:
            return ordered
        is_invented = wrong.wrong_patient or not self.order.is_scheduled
        return written_in(ordered, find_character_set(wrong.character_set), is_invented=is_invented)

    @property
    def plan(self) -> StudyPlan:
        """Return the study."""
        order, step = self.order, self.step
        tells = not self.misbehaviour.tells_no_step
        plan = StudyPlan(
            patient=self.patient,
            started_at=self.begun_at,
            accession_number=order.accession_number,
            description=order.requested_procedure_description or self.profile.study_description,
            series=tuple(self._sliced(series) for series in self.profile.series),
            referring_physician=order.referring_physician,
            finding=self.profile.findings[self.seed % len(self.profile.findings)],
            build=self.profile.build,
            extra=self.profile.equipment,
            study_instance_uid=self.study_instance_uid,
            requested=_requested(order),
            performed=PerformedStep(
                step.performed_procedure_step_id,
                step.begun_at,
                order.scheduled_procedure_step_description,
                step.sop_instance_uid if tells else None,
            ),
            writing=self._writing(),
            anatomy_seed=self.device_seed,
        )
        return reduced(plan, self.reduction) if self.reduction > 1 else plan

    def _sliced(self, series: SeriesPlan) -> SeriesPlan:
        if self.slices is None or not isinstance(series, (CtSeriesPlan, MrSeriesPlan)):
            return series
        return replace(series, slices=self.slices)

    def _writing(self) -> Writing:
        wrong = self.misbehaviour
        written = None if wrong.character_set is None else find_character_set(wrong.character_set)
        return Writing(
            transfer_syntax_uid=IMPLICIT_VR_LITTLE_ENDIAN if wrong.implicit_vr else EXPLICIT_VR_LITTLE_ENDIAN,
            declared_character_set=None if written is None else written.declared,
            private_blocks=VENDOR_BLOCKS if wrong.private_tags else (),
            burned_in_text=True if wrong.burned_in_text else None,
        )

    @property
    def late_plan(self) -> StudyPlan:
        """Return the series that comes when the step is over: the last one again, made anew."""
        plan = self.plan
        number = {"SeriesNumber": str(len(plan.series) + 1), "SeriesDescription": LATE_DESCRIPTION}
        later = plan.started_at + timedelta(seconds=self.misbehaviour.late_series_s or 0)
        return replace(plan, series=plan.series[-1:], started_at=later, extra={**plan.extra, **number})

    @property
    def number_of_images(self) -> int:
        """Return how many C-STOREs the device means to make before the step is over."""
        if self.misbehaviour.huge_multiframe is not None:
            return 1
        number = self.plan.number_of_instances
        return number + min(number, self.misbehaviour.duplicates)

    @property
    def number_of_late_images(self) -> int:
        """Return how many come after it."""
        return 0 if self.misbehaviour.late_series_s is None else self.late_plan.number_of_instances

    @property
    def series_descriptions(self) -> Mapping[str, str]:
        """Return what the series are called by their UIDs."""
        named = enumerate(self.plan.series, start=1)
        return {derive_uid(self.device_seed, self.study_instance_uid, n): series.description for n, series in named}

    def iter_images(self) -> Iterator[DeviceInstance]:
        """Yield the instances up to the end of the step."""
        if self.misbehaviour.huge_multiframe is not None:
            yield make_multiframe(next(self._iter_study()), self.misbehaviour.huge_multiframe)
            return
        yield from map(read_instance, self._iter_study())
        yield from islice(map(read_instance, self._iter_study()), self.misbehaviour.duplicates)

    def _iter_study(self) -> Iterator[bytes]:
        return iter_study(self.plan, self.device_seed)

    def iter_late_images(self) -> Iterator[DeviceInstance]:
        """Yield the instances of the late series; another seed gives them other UIDs, of the same anatomy."""
        return map(read_instance, iter_study(self.late_plan, self.device_seed + 1))


def _requested(order: Order) -> tuple[RequestedStep, ...]:
    if not order.is_scheduled:
        return ()
    return (
        RequestedStep(
            order.requested_procedure_id,
            order.scheduled_procedure_step_id,
            order.requested_procedure_description,
            order.scheduled_procedure_step_description,
        ),
    )
