"""Modality performed procedure steps: create, change until they are finished, read (PS3.4 F.7 and F.8)."""

from __future__ import annotations

from collections.abc import Iterable

from isocenter.dicom.charset_encode import UTF_8_TERM, is_ascii, with_character_set
from isocenter.dicom.dataset import (
    SPECIFIC_CHARACTER_SET,
    Attribute,
    Dataset,
    decode_dataset,
    encode_dataset,
    presence_of,
)
from isocenter.dicom.part10 import encoding_of
from isocenter.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.domain.errors import (
    InstanceExists,
    InvalidAttributeValue,
    InvalidRequest,
    NotFound,
    TooLarge,
    Unavailable,
)
from isocenter.domain.identifiers import is_uid
from isocenter.domain.performed_step import (
    EMPTY_AT_CREATION,
    KEPT_AT_SET,
    STATUS,
    STEP_SIZE_MAX_BYTES,
    PerformedStep,
    PerformedStepState,
    next_state,
    require_creatable,
    scheduled_steps_of,
)
from isocenter.domain.principal import DataAction, Principal
from isocenter.ports.performed_steps import PerformedSteps
from isocenter.ports.step_messages import NewStepMessage, StepOperation

ATTEMPTS_MAX = 16
"""Changes of one step that meet each other; a device sends them one after the other."""

_ENCODING = encoding_of(EXPLICIT_VR_LITTLE_ENDIAN)


def create_performed_step(
    steps: PerformedSteps,
    principal: Principal,
    *,
    sop_instance_uid: str,
    attributes: Dataset,
    ae_title: str,
    now: float,
    forward_to: str = "",
) -> PerformedStep:
    """Keep a new step and mark the scheduled ones that it names in progress.

    What came is kept for another AE with it, where one is named. Raises MissingAttribute, MissingAttributeValue or
    InvalidAttributeValue where the attributes make no step, InstanceExists where the UID is in use, Forbidden.
    """
    principal.require(DataAction.WRITE)
    if not is_uid(sop_instance_uid):
        raise InvalidRequest("The SOP instance UID is none.")
    present = presence_of(attributes)
    require_creatable(present)
    empty = {tag: Attribute(vr) for tag, vr in EMPTY_AT_CREATION.items()}
    step = PerformedStep(
        sop_instance_uid=sop_instance_uid,
        state=PerformedStepState.IN_PROGRESS,
        content=_encode(dict(sorted((empty | dict(attributes)).items()))),
        scheduled_steps=scheduled_steps_of(present),
        ae_title=ae_title,
        created_at=now,
        changed_at=now,
    )
    if not steps.create(step, message=_message(StepOperation.CREATE, attributes, forward_to)):
        raise InstanceExists("A performed procedure step of that UID exists.")
    return step


def _message(operation: StepOperation, attributes: Dataset, forward_to: str) -> NewStepMessage | None:
    return NewStepMessage(operation, forward_to, _encode(attributes)) if forward_to else None


def _encode(attributes: Dataset) -> bytes:
    content = encode_dataset(attributes, _ENCODING)
    if len(content) > STEP_SIZE_MAX_BYTES:
        raise TooLarge(f"A performed procedure step has at most {STEP_SIZE_MAX_BYTES // 1024} KB.")
    return content


def set_performed_step(
    steps: PerformedSteps,
    principal: Principal,
    *,
    sop_instance_uid: str,
    changes: Dataset,
    now: float,
    forward_to: str = "",
) -> PerformedStep:
    """Change a step that is in progress, and mark the scheduled ones that it names where its state changes.

    What came is kept for another AE with it, where one is named. Raises NotFound, StepFinished where it was completed
    or discontinued, InvalidAttributeValue, Forbidden.
    """
    principal.require(DataAction.WRITE)
    message = _message(StepOperation.SET, changes, forward_to)
    for _ in range(ATTEMPTS_MAX):
        step = _find(steps, sop_instance_uid)
        changed = _change(step, changes, now)
        if steps.replace(changed, revision=step.revision, message=message):
            return changed
    raise Unavailable("The performed procedure step is being changed by others; try again.")


def _change(step: PerformedStep, changes: Dataset, now: float) -> PerformedStep:
    state = next_state(step.state, presence_of(changes))
    merged = _merge(decode_dataset(step.content, _ENCODING), changes)
    return PerformedStep(
        sop_instance_uid=step.sop_instance_uid,
        state=state,
        content=_encode(merged),
        scheduled_steps=step.scheduled_steps,
        ae_title=step.ae_title,
        created_at=step.created_at,
        changed_at=now,
        revision=step.revision + 1,
    )


def _merge(kept: Dataset, changes: Dataset) -> Dataset:
    """Return attributes with those that may change replaced, text in one character set (PS3.4 F.7.2.2.3)."""
    own, other = (one.get(SPECIFIC_CHARACTER_SET, Attribute("CS")) for one in (kept, changes))
    if not is_ascii(changes) and not other.is_empty and own.value.strip() != other.value.strip():
        kept, changes = _as_utf_8(kept), _as_utf_8(changes)
    taken = {tag: attribute for tag, attribute in changes.items() if tag not in KEPT_AT_SET}
    if STATUS in taken and taken[STATUS].is_empty:
        del taken[STATUS]
    return dict(sorted((dict(kept) | taken).items()))


def _as_utf_8(attributes: Dataset) -> Dataset:
    recoded = with_character_set(attributes, UTF_8_TERM)
    if recoded is None:
        raise InvalidAttributeValue("The character sets of the step cannot be joined.", tags=(SPECIFIC_CHARACTER_SET,))
    return recoded


def find_performed_step(steps: PerformedSteps, principal: Principal, sop_instance_uid: str) -> PerformedStep:
    """Return a step. Raises NotFound, Forbidden."""
    principal.require(DataAction.READ)
    return _find(steps, sop_instance_uid)


def _find(steps: PerformedSteps, sop_instance_uid: str) -> PerformedStep:
    step = steps.find(sop_instance_uid)
    if step is None:
        raise NotFound("There is no performed procedure step of that UID.")
    return step


def attributes_of(step: PerformedStep, tags: Iterable[int] = ()) -> Dataset:
    """Return the attributes of a step, those that were asked for or all (PS3.7 10.1.2.1.5)."""
    attributes = decode_dataset(step.content, _ENCODING)
    wanted = frozenset(tags)
    if not wanted:
        return attributes
    selected = {tag: attribute for tag, attribute in attributes.items() if tag in wanted}
    if not is_ascii(selected) and SPECIFIC_CHARACTER_SET in attributes:
        selected[SPECIFIC_CHARACTER_SET] = attributes[SPECIFIC_CHARACTER_SET]
    return dict(sorted(selected.items()))


def recent_performed_steps(steps: PerformedSteps, principal: Principal, *, limit: int) -> list[PerformedStep]:
    """Return steps, the one that was created last first."""
    principal.require(DataAction.READ)
    return steps.recent(limit=limit)
