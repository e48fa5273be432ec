"""Where a picture lies in the patient: the letters at its edges and the bar that shows its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LETTER_SHARE_MIN = 0.25
"""A direction counts where it is at least a quarter of the largest: an oblique slice has two letters, a slip none."""
BAR_LENGTHS_MM = (500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
BAR_SHARE_MAX = 0.4
"""The bar takes at most so much of a picture's width."""
MM_PER_CM = 10
SIDES = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
"""Where x, y and z grow to, and where they come from (PS3.3 C.7.6.2.1.1)."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The letters at the edges of a picture; empty where nothing is known."""

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length, in pixels of the picture."""

    columns: float
    label: str


def edges_of_cosines(cosines: Sequence[float]) -> Edges:
    """Return the letters by ImageOrientationPatient: the direction of a row, then of a column."""
    if len(cosines) != 6 or not any(cosines[:3]) or not any(cosines[3:]):
        return Edges()
    return _edges(_letters(cosines[:3]), _letters(cosines[3:]))


def edges_of_directions(directions: Sequence[str]) -> Edges:
    """Return the letters by PatientOrientation: where the rows lead to, and the columns (PS3.3 C.7.6.1.1.1)."""
    if len(directions) != 2:
        return Edges()
    row, column = (_known(direction) for direction in directions)
    return _edges(row, column)


def scale_bar(spacing_mm: float | None, columns: int) -> ScaleBar | None:
    """Return the longest round bar that fits, for the distance between two columns."""
    if spacing_mm is None or spacing_mm <= 0 or columns <= 0:
        return None
    limit_mm = columns * spacing_mm * BAR_SHARE_MAX
    length_mm = next((length for length in BAR_LENGTHS_MM if length <= limit_mm), None)
    if length_mm is None:
        return None
    return ScaleBar(round(length_mm / spacing_mm, 2), _length_text(length_mm))


def _edges(right: str, bottom: str) -> Edges:
    return Edges(left=_opposite(right), right=right, top=_opposite(bottom), bottom=bottom)


def _letters(cosines: Sequence[float]) -> str:
    largest = max(abs(cosine) for cosine in cosines)
    by_size = sorted(zip(cosines, _AXES, strict=True), key=lambda pair: -abs(pair[0]))
    return "".join(
        toward if cosine > 0 else away
        for cosine, (toward, away) in by_size
        if abs(cosine) >= largest * LETTER_SHARE_MIN
    )


def _known(direction: str) -> str:
    letters = direction.strip().upper()[:3]
    return letters if letters and all(letter in SIDES for letter in letters) else ""


def _opposite(letters: str) -> str:
    return "".join(SIDES[letter] for letter in letters)


def _length_text(length_mm: float) -> str:
    return f"{length_mm / MM_PER_CM:g} cm" if length_mm >= MM_PER_CM else f"{length_mm:g} mm"
