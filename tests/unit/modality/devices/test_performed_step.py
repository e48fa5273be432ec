"""What a device tells of its step is what the standard asks for, held against our own SCP's rules."""

from __future__ import annotations

from datetime import datetime

import pytest

from isocenter.dicom.dataset import presence_of, text_of, values_of
from isocenter.domain.commitment import InstanceReference
from isocenter.domain.performed_step import (
    STATUS,
    PerformedStepState,
    next_state,
    require_creatable,
    scheduled_steps_of,
)
from isocenter.domain.worklist import ScheduledStepReference
from isocenter.modality.devices.outcome import Outcome
from isocenter.modality.devices.performed_step import creation_of, ending_of
from tests.support.device_studies import BEGUN_AT, acquisition
from tests.unit.modality.devices.test_acquisition import ORDER

ENDED_AT = datetime(2022, 11, 22, 10, 10)
SERIES = "00400340"


def _outcome(number: int, series: str) -> Outcome:
    return Outcome(InstanceReference("1.2.840.10008.5.1.4.1.1.2", f"1.2.{number}"), series, "1.2.3.77", 100, status=0)


def test_a_step_is_created_in_progress_and_names_what_was_scheduled() -> None:
    made = acquisition(order=ORDER)
    attributes = creation_of(made.step, ORDER, made.profile)
    require_creatable(presence_of(attributes))
    assert scheduled_steps_of(presence_of(attributes)) == (ScheduledStepReference("1.2.3.77", "S77"),)
    assert text_of(attributes, STATUS) == "IN PROGRESS"
    assert text_of(attributes, 0x00100010) == "Müller^Eva"
    assert text_of(attributes, 0x00400244) == f"{BEGUN_AT:%Y%m%d}"


def test_a_step_of_nobodys_order_can_be_created_too() -> None:
    made = acquisition()
    require_creatable(presence_of(creation_of(made.step, made.order, made.profile)))


@pytest.mark.parametrize("state", [PerformedStepState.COMPLETED, PerformedStepState.DISCONTINUED])
def test_the_end_of_a_step_lists_every_image_once_by_series(state: PerformedStepState) -> None:
    outcomes = [_outcome(1, "1.9"), _outcome(2, "1.9"), _outcome(3, "1.8"), _outcome(1, "1.9")]
    changes = ending_of(state, outcomes, {"1.9": "plain"}, ended_at=ENDED_AT)
    assert next_state(PerformedStepState.IN_PROGRESS, presence_of(changes)) is state
    series = values_of(changes)[SERIES]
    listed = [
        (item["0020000E"], [image["00081155"] for image in item["00081140"] if not isinstance(image, str)])
        for item in series
        if not isinstance(item, str)
    ]
    assert listed == [(["1.9"], [["1.2.1"], ["1.2.2"]]), (["1.8"], [["1.2.3"]])]
    assert ("00400281" in values_of(changes)) == (state is PerformedStepState.DISCONTINUED)
