"""Character sets that devices write in, each with an invented person whose name shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from isocenter.dicom.charset_encode import encode_text
from isocenter.dicom.text import CHARSET_DELIMITERS
from isocenter.domain.errors import InvalidRequest
from isocenter.modality.patients import Patient

MISLABELLED = "mislabelled"
"""Writes UTF-8 and declares Latin 1, as devices do whose work list changed and whose settings did not."""


@dataclass(frozen=True, slots=True)
class WrittenName:
    """A character set, as its attribute says it, and a name in it."""

    terms: tuple[str, ...]
    name: str
    declared: tuple[str, ...] | None = None
    """What the instance says instead, where it is not true."""


CHARACTER_SETS: Mapping[str, WrittenName] = MappingProxyType(
    {
        "ISO_IR 100": WrittenName(("ISO_IR 100",), "Größlin^Zoë"),
        "ISO_IR 101": WrittenName(("ISO_IR 101",), "Růžičková^Žofie"),
        "ISO_IR 126": WrittenName(("ISO_IR 126",), "Ανδρέου^Μελίνα"),
        "ISO_IR 127": WrittenName(("ISO_IR 127",), "منصور^ليلى"),
        "ISO_IR 138": WrittenName(("ISO_IR 138",), "לביא^תמר"),
        "ISO_IR 144": WrittenName(("ISO_IR 144",), "Яблокова^Инна"),
        "ISO_IR 166": WrittenName(("ISO_IR 166",), "ใจงาม^มาลี"),
        "ISO_IR 13": WrittenName(("ISO_IR 13",), "ｱｵｷ^ｱｶﾈ"),
        "ISO 2022 IR 87": WrittenName(("", "ISO 2022 IR 87"), "Aoki^Akane=青木^茜=あおき^あかね"),
        "ISO 2022 IR 149": WrittenName(("", "ISO 2022 IR 149"), "Han^Sora=韓^素羅=한^소라"),
        "GB18030": WrittenName(("GB18030",), "Lin^Yue=林^月"),
        "ISO_IR 192": WrittenName(("ISO_IR 192",), "Ångström-Żółkiewska^Zoë"),
        MISLABELLED: WrittenName(("ISO_IR 192",), "Größlin^Zoë", declared=("ISO_IR 100",)),
    }
)


def find_character_set(name: str) -> WrittenName:
    """Return a character set by the term of its attribute. Raises InvalidRequest."""
    found = next((one for key, one in CHARACTER_SETS.items() if key.lower() == name.lower()), None)
    if found is None:
        raise InvalidRequest(f"There is no such character set; there are {', '.join(CHARACTER_SETS)}.")
    return found


def written_in(patient: Patient, written: WrittenName, *, is_invented: bool) -> Patient:
    """Return a patient as a device of a character set has it.

    One who was invented gets a name that shows the set; of an ordered one, what the set lacks becomes question marks.
    """
    name = written.name if is_invented else without_what_is_lacking(patient.name, written)
    return replace(patient, name=name, character_set=written.terms)


def without_what_is_lacking(text: str, written: WrittenName) -> str:
    """Return a text with a question mark for each character that a character set cannot write."""
    named = "\\".join(written.terms)
    delimiters = CHARSET_DELIMITERS["PN"]
    return "".join(letter if encode_text(letter, named, delimiters=delimiters) is not None else "?" for letter in text)
