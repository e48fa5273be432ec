"""What a message says of a study to come: whose it is, what is to be done, and when.

ORM^O01   PID, ORC, OBR: an order; IHE puts the accession number into OBR-18, the modality into OBR-24, and the
          study's UID into ZDS-1
OMI^O23   an imaging order: the same, and IPC with accession number, study, modality (IPC-1, -3, -5), TQ1 with the time
SIU^S12…  SCH, AIS: an appointment
ADT^A…    PID, PV1: a patient comes
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from isocenter.routing.hl7.message import Message, Segment

_ORDERS = frozenset({"ORM", "OMI", "OMG"})
_CANCELLING_CONTROLS = frozenset({"CA", "OC", "DC", "OD", "CR", "DR"})
"""ORC-1: cancel, cancelled, discontinue, discontinued, and both as requested (HL7 table 0119)."""
_CANCELLING_TRIGGERS = frozenset({"S15", "S16", "S17", "S26", "A11", "A38"})
"""An appointment that is cancelled, discontinued, deleted or missed; an admission or pre-admission taken back."""
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})?(\d{2})?(?:\.\d{1,4})?)?([+-]\d{4})?", re.ASCII)
IDENTIFIERS_MAX = 32
"""Of one patient; some senders list every number that a region ever gave."""


@dataclass(frozen=True, slots=True)
class PatientIdentifier:
    """A number of a patient, and who gave it."""

    patient_id: str
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What a message tells; texts are empty where it does not."""

    message_type: str
    control_id: str
    patients: tuple[PatientIdentifier, ...] = ()
    """Identifiers of the one patient, the medical record number first."""
    patient_name: str = ""
    """As DICOM writes it."""
    birth_date: str = ""
    accession_number: str = ""
    procedure: str = ""
    """Code and text of what is to be done."""
    modality: str = ""
    study_instance_uid: str = ""
    appointment: datetime | None = None
    is_cancelled: bool = False


def read_order(message: Message, *, local: tzinfo = UTC) -> Order:
    """Return what a message tells; `local` is the time zone of times that name none."""
    pid, obr = message.first("PID"), message.first("OBR")
    return Order(
        message_type=message.type,
        control_id=message.control_id,
        patients=_patients(pid),
        patient_name=_name(pid),
        birth_date=pid.text(7)[:8],
        accession_number=_accession_number(message),
        procedure=_procedure(message),
        modality=(message.first("IPC").text(5) or obr.text(24)).upper(),
        study_instance_uid=message.first("ZDS").text(1) or message.first("IPC").text(3),
        appointment=_appointment(message, local),
        is_cancelled=_is_cancelled(message),
    )


def _patients(pid: Segment) -> tuple[PatientIdentifier, ...]:
    found: list[tuple[bool, PatientIdentifier]] = []
    for repetition in range(min(pid.repetitions(3), IDENTIFIERS_MAX)):
        number = pid.text(3, 1, repetition=repetition)
        issuer = pid.text(3, 4, repetition=repetition) or pid.text(3, 4, subcomponent=2, repetition=repetition)
        is_record_number = pid.text(3, 5, repetition=repetition).upper() in ("MR", "PI")
        if number:
            found.append((not is_record_number, PatientIdentifier(number, issuer)))
    if not found and pid.text(2):  # before version 2.3.1
        found.append((False, PatientIdentifier(pid.text(2), pid.text(2, 4))))
    return tuple(dict.fromkeys(one for _, one in sorted(found, key=lambda pair: pair[0])))


def _name(pid: Segment) -> str:
    """Return XPN as PN: family, given, middle, prefix, suffix; HL7 has the last two the other way round."""
    family, given, middle, suffix, prefix = (pid.text(5, number) for number in range(1, 6))
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")


def _accession_number(message: Message) -> str:
    obr = message.first("OBR")
    texts = (message.first("IPC").text(1), obr.text(18), obr.text(3), message.first("ORC").text(3))
    return next((text for text in texts if text), "")


def _procedure(message: Message) -> str:
    obr, service, schedule = message.first("OBR"), message.first("AIS"), message.first("SCH")
    for segment, field in ((obr, 44), (obr, 4), (service, 3), (schedule, 8), (schedule, 7)):
        code, text = segment.text(field, 1), segment.text(field, 2)
        if code or text:
            further = obr.text(15, 4) if segment is obr else ""  # specimen source: body site in version 2.3.1
            return " ".join(part for part in (code, text, further) if part)
    return ""


def _appointment(message: Message, local: tzinfo) -> datetime | None:
    obr, timing, schedule = message.first("OBR"), message.first("TQ1"), message.first("SCH")
    texts = (
        timing.text(7),
        message.first("AIS").text(4),
        schedule.text(11, 4),
        obr.text(36),
        obr.text(27, 4),
        message.first("ORC").text(7, 4),
        message.first("PV2").text(8),
        message.first("PV1").text(44),
    )
    return next((moment for text in texts if (moment := parse_time(text, local=local)) is not None), None)


def _is_cancelled(message: Message) -> bool:
    kind, _, trigger = message.type.partition("^")
    if kind in _ORDERS:
        return message.first("ORC").text(1).upper() in _CANCELLING_CONTROLS
    return trigger in _CANCELLING_TRIGGERS


def parse_time(text: str, *, local: tzinfo) -> datetime | None:
    """Return the time that a time stamp tells (HL7 2.A.22), None where it is none or tells no day."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, offset = found.groups()
    zone = local if offset is None else _zone(offset)
    try:
        return datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
    except ValueError:
        return None


def _zone(offset: str) -> tzinfo:
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    if minutes >= 24 * 60:
        return UTC
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
