"""What an address of the light viewer names, and the addresses that lead on from there.

/light/STUDY                                    its first picture
/light/STUDY/SERIES                             the first picture of a series
/light/STUDY/SERIES/INSTANCE?frame=&window=     a picture, a report, a document
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from isocenter.domain.errors import InvalidRequest
from isocenter.domain.identifiers import DEFAULT_PARTITION, Scope, parse_uid

LIGHT_PATH = "/light"
NUMBER_DIGITS_MAX = 7
"""A frame number beyond ten million names nothing (NumberOfFrames of a whole slide stays below that)."""
NUMBER_TEXT_MAX = 24
"""Longer than any DS value is written (PS3.5 table 6.2-1)."""


@dataclass(frozen=True, slots=True)
class Window:
    """Center and width of the values that are spread over the shades."""

    center: float
    width: float

    @property
    def text(self) -> str:
        """Return it as an address writes it."""
        return f"{self.center:g},{self.width:g}"


@dataclass(frozen=True, slots=True)
class Place:
    """A study, a series, or one picture of it."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    frame_number: int = 1
    window: Window | None = None
    """What the reader chose; None for what the file says."""
    partition_name: str = DEFAULT_PARTITION

    @property
    def scope(self) -> Scope:
        """Return what it names in the archive."""
        return Scope(
            self.study_instance_uid,
            self.series_instance_uid or None,
            self.sop_instance_uid or None,
            self.partition_name,
        )

    @property
    def resource(self) -> Mapping[str, str]:
        """Return what it names as the audit log says it."""
        named = {
            "study": self.study_instance_uid,
            "series": self.series_instance_uid,
            "instance": self.sop_instance_uid,
        }
        return {name: value for name, value in named.items() if value}

    @property
    def study(self) -> Place:
        """Return the study alone."""
        return Place(self.study_instance_uid, partition_name=self.partition_name)

    def series(self, series_instance_uid: str) -> Place:
        """Return a series of the study."""
        return replace(self.study, series_instance_uid=series_instance_uid)

    def instance(self, sop_instance_uid: str, frame_number: int = 1) -> Place:
        """Return another picture of the same series, in the same window."""
        return replace(self, sop_instance_uid=sop_instance_uid, frame_number=frame_number)

    def in_window(self, window: Window | None) -> Place:
        """Return the same picture in another window."""
        return replace(self, window=window)

    @property
    def path(self) -> str:
        """Return the path of what it names, without a prefix."""
        named = (self.study_instance_uid, self.series_instance_uid, self.sop_instance_uid)
        return "/".join([LIGHT_PATH, *(quote(uid, safe="") for uid in named if uid)])

    @property
    def address(self) -> str:
        """Return the address of its page, without a prefix."""
        values: dict[str, str] = {}
        if self.frame_number != 1:
            values["frame"] = str(self.frame_number)
        if self.window is not None:
            values["window"] = self.window.text
        return self._below("", values)

    def below(self, segment: str, **values: object) -> str:
        """Return the address of something that belongs to it: a picture, its attributes."""
        return self._below("/" + segment, {name: str(value) for name, value in values.items()})

    def _below(self, tail: str, values: dict[str, str]) -> str:
        if self.partition_name != DEFAULT_PARTITION:
            values = {**values, "partition": self.partition_name}
        return self.path + tail + (f"?{urlencode(values, safe=',')}" if values else "")


def parse_place(path: Mapping[str, str], query: Mapping[str, str]) -> Place:
    """Return what an address names; raises InvalidRequest where a part of it makes no sense."""
    series, instance = path.get("series"), path.get("instance")
    return Place(
        parse_uid(path["study"]),
        parse_uid(series) if series else "",
        parse_uid(instance) if instance else "",
        parse_number(path.get("frame") or query.get("frame", "1"), what="A frame"),
        parse_window(query.get("window", "")),
        query.get("partition", "") or DEFAULT_PARTITION,
    )


def parse_number(text: str, *, what: str) -> int:
    """Return a number that counts from 1; raises InvalidRequest."""
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX and int(text)):
        raise InvalidRequest(f"{what} is named by a whole number from 1.")
    return int(text)


def parse_window(text: str) -> Window | None:
    """Return the window that an address asks for; raises InvalidRequest."""
    if not text:
        return None
    numbers = [_number(part) for part in text.split(",")]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None or numbers[1] <= 0:
        raise InvalidRequest("A window is written as center,width with a width above zero, for example 40,400.")
    return Window(numbers[0], numbers[1])


def _number(text: str) -> float | None:
    try:
        number = float(text) if len(text) <= NUMBER_TEXT_MAX else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
