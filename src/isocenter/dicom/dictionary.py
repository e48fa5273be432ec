"""What the data dictionary (PS3.6) says of tags: VR for data sets without one, keywords.

The tables come from pydicom and are read on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

PRIVATE_CREATOR_VR = "LO"
GROUP_LENGTH_VR = "UL"
UNKNOWN_VR = "UN"

AMBIGUOUS_VRS = frozenset({"US or SS", "OB or OW", "US or OW", "US or SS or OW"})
"""VRs of the dictionary that depend on other elements of the data set."""

_LOOKUP_CACHE_SIZE = 4096
"""Distinct tags in the headers of a hospital are some hundreds."""


@lru_cache(maxsize=1)
def _tables() -> Any:
    """Load the module of the tables without the package around it, whose codecs take longer than all of the tables."""
    package = find_spec("pydicom")
    assert package is not None
    assert package.submodule_search_locations is not None
    found = PathFinder.find_spec("_dicom_dict", package.submodule_search_locations)
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def _standard() -> dict[int, tuple[str, str, str, str, str]]:
    tables: dict[int, tuple[str, str, str, str, str]] = _tables().DicomDictionary
    return tables


@lru_cache(maxsize=1)
def _repeating() -> tuple[tuple[int, int, str, str], ...]:
    """Return mask, pattern, VR and keyword of the repeating groups."""
    return tuple(
        (
            int("".join("0" if digit == "x" else "F" for digit in pattern), 16),
            int(pattern.replace("x", "0"), 16),
            entry[0],
            entry[4],
        )
        for pattern, entry in _tables().RepeatersDictionary.items()
    )


@lru_cache(maxsize=1)
def tags_by_keyword() -> Mapping[str, int]:
    """Return the tags of the standard by their keywords, without repeating groups."""
    return {entry[4]: tag for tag, entry in _standard().items() if entry[4]}


@lru_cache(maxsize=1)
def sequence_tags() -> frozenset[int]:
    """Return the tags of the standard whose VR is SQ, without repeating groups."""
    return frozenset(tag for tag, entry in _standard().items() if entry[0] == "SQ")


def load_dictionary() -> None:
    """Load the tables, which takes a tenth of a second, before the first instance has to wait for it."""
    sequence_tags()
    _repeating()
    tags_by_keyword()


def is_private(tag: int) -> bool:
    """Tell whether a tag is private (PS3.5 7.8): an odd group."""
    return bool(tag >> 16 & 1)


@lru_cache(maxsize=_LOOKUP_CACHE_SIZE)
def dictionary_vr(tag: int) -> str:
    """Return the VR of a tag, which may be ambiguous (`US or SS`); UN where the dictionary has none."""
    if tag & 0xFFFF == 0:
        return GROUP_LENGTH_VR
    if is_private(tag):
        return PRIVATE_CREATOR_VR if 0x10 <= tag & 0xFFFF <= 0xFF else UNKNOWN_VR
    entry = _standard().get(tag)
    if entry is not None:
        return entry[0] if entry[0] != "NONE" else UNKNOWN_VR
    return next((vr for mask, pattern, vr, _ in _repeating() if tag & mask == pattern), UNKNOWN_VR)


@lru_cache(maxsize=_LOOKUP_CACHE_SIZE)
def may_have_several_values(tag: int) -> bool:
    """Tell whether the dictionary allows for more than one value of an attribute (its VM, PS3.6)."""
    entry = _standard().get(tag)
    return entry is not None and entry[1] != "1"


def keyword_of(tag: int) -> str | None:
    """Return the keyword of a tag of the standard, else None."""
    entry = _standard().get(tag)
    if entry is not None:
        return entry[4] or None
    return next((keyword for mask, pattern, _, keyword in _repeating() if tag & mask == pattern), None)


def tag_of(keyword: str) -> int | None:
    """Return the tag of a keyword of the standard, else None."""
    return tags_by_keyword().get(keyword)


_WAVEFORM_TAGS = frozenset({0x54000110, 0x54000112, 0x5400100A, 0x54001010})
_LUT_DATA = 0x00283006


def resolve_vr(
    tag: int, vr: str, *, pixel_representation: int, waveform_bits_allocated: int = 16, lut_entries: int = 0
) -> str:
    """Return the VR that an ambiguous VR of the dictionary has in implicit VR little endian (PS3.5 A.1).

    `lut_entries` is the first value of LUTDescriptor (PS3.3 C.11.1.1.1): a table of one entry is US.
    """
    if vr == "US or SS":
        return "SS" if pixel_representation else "US"
    if vr == "US or OW":
        return "US" if tag == _LUT_DATA and lut_entries == 1 else "OW"
    if vr in AMBIGUOUS_VRS:
        return "OW"
    return vr


def uid_name(uid: str) -> str | None:
    """Return the name of a UID of the standard (PS3.6 annex A), or None."""
    from pydicom._uid_dict import UID_dictionary

    entry = UID_dictionary.get(uid)
    return None if entry is None else entry[0]


def storage_class_names() -> dict[str, str]:
    """Return the SOP classes of the standard whose name says that they are stored, by UID, in the order of names."""
    from pydicom._uid_dict import UID_dictionary

    named = {
        uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] == "SOP Class" and "Storage" in entry[0]
    }
    return dict(sorted(named.items(), key=lambda item: item[1]))
