"""Lookup tables of the standard: modality, VOI and palette (PS3.3 C.11.1, C.11.2, C.7.9)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from isocenter.dicom.pixels import PixelArray
from isocenter.domain.errors import InvalidDataset

ENTRIES_MAX = 65_536
"""A descriptor counts entries in 16 bits, where 0 stands for this number."""
SEGMENTS_MAX = 65_536
"""Every segment adds an entry, or stands for segments that do."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table from consecutive stored values to entries of up to 16 bits."""

    first_value: int
    bits: int
    entries: bytes
    """Little endian, two bytes each."""

    @classmethod
    def of(cls, data: bytes, *, count: int, first_value: int, bits: int, is_little_endian: bool) -> LookupTable | None:
        """Return the table that descriptor and data give; None for a table without entries.

        Entries of up to 8 bits may lie in bytes or in words; the length tells which.
        """
        if bits <= 8 and len(data) < 2 * count:
            packed = np.frombuffer(data if is_little_endian else _swapped(data), dtype=np.uint8)
        else:
            packed = np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2" if is_little_endian else ">u2")
        entries = packed[:count].astype("<u2")
        return cls(first_value, bits, entries.tobytes()) if len(entries) else None

    def array(self) -> PixelArray:
        """Return the entries."""
        return np.frombuffer(self.entries, dtype="<u2")

    def look_up(self, values: PixelArray) -> PixelArray:
        """Return the entry of each value; those outside of the table have the first or the last (C.11.1.1.1)."""
        entries = self.array()
        index = np.clip(np.rint(values).astype(np.int64) - self.first_value, 0, len(entries) - 1)
        return entries[index]

    @property
    def entry_max(self) -> int:
        """Return the highest entry that the table can hold.

        Some writers state 16 bits and fill 8: such a table would show nothing but black.
        """
        highest = int(self.array().max())
        return 255 if self.bits > 8 and highest <= 255 else max((1 << self.bits) - 1, highest)


def _swapped(data: bytes) -> bytes:
    """Return bytes that were written as big-endian words in their own order."""
    return np.frombuffer(data[: len(data) // 2 * 2], dtype=">u2").astype("<u2").tobytes()


def expand_segments(data: bytes, *, bits: int, count: int, is_little_endian: bool) -> bytes:
    """Return the entries, little endian words, of a segmented palette (PS3.3 C.7.9.2)."""
    if bits <= 8:
        segments = _Segments(list(data if is_little_endian else _swapped(data)), 1)
    else:
        order = "<" if is_little_endian else ">"
        segments = _Segments(list(struct.unpack(f"{order}{len(data) // 2}H", data[: len(data) // 2 * 2])), 2)
    entries: list[int] = []
    try:
        segments.expand(0, SEGMENTS_MAX, entries, min(count, ENTRIES_MAX), is_nested=False)
    except IndexError as error:
        raise InvalidDataset("A segment of the palette is cut off.") from error
    return struct.pack(f"<{len(entries)}H", *entries)


@dataclass(frozen=True, slots=True)
class _Segments:
    """Segments of a palette: discrete (0), linear (1), indirect (2)."""

    words: list[int]
    word_size: int

    def expand(self, pos: int, segments: int, out: list[int], count: int, *, is_nested: bool) -> None:
        """Append the entries of so many segments from `pos`, until there are `count`."""
        for _ in range(min(segments, SEGMENTS_MAX)):
            if pos + 1 >= len(self.words) or len(out) >= count:
                return
            opcode, length = self.words[pos], self.words[pos + 1]
            if opcode == 0:
                out.extend(self.words[pos + 2 : pos + 2 + length][: count - len(out)])
                pos += 2 + length
            elif opcode == 1 and out:
                out.extend(_line(out[-1], self.words[pos + 2], length)[: count - len(out)])
                pos += 3
            elif opcode == 2 and out and not is_nested:
                width = 4 // self.word_size
                offset = self._offset(self.words[pos + 2 : pos + 2 + width])
                self.expand(offset // self.word_size, length, out, count, is_nested=True)
                pos += 2 + width
            else:
                raise InvalidDataset("The segments of the palette make no sense.")

    def _offset(self, words: list[int]) -> int:
        return sum(word << (8 * self.word_size * index) for index, word in enumerate(words))


def _line(start: int, end: int, length: int) -> list[int]:
    """Return the values from `start`, without it, to `end`."""
    return [int(value) for value in np.rint(np.linspace(start, end, length + 1)[1:])]
