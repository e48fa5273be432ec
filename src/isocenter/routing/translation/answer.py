"""A row of a server's answer, held against what was left to be matched here."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.dicom.dictionary import dictionary_vr, resolve_vr
from isocenter.domain.fitting import fits
from isocenter.domain.query import Match
from isocenter.domain.values import Values, items, texts


class AnswerRow:
    """The attributes of a row, or of an item in it."""

    __slots__ = ("_values",)

    def __init__(self, values: Values) -> None:
        self._values = values

    def vr_of(self, tag: int) -> str:
        """Return the VR of an attribute."""
        return resolve_vr(tag, dictionary_vr(tag), pixel_representation=0)

    def values_of(self, tag: int) -> Sequence[str]:
        """Return the values of an attribute as text."""
        return texts(self._values, tag)

    def items_of(self, tag: int) -> Sequence[AnswerRow]:
        """Return the items of a sequence."""
        return [AnswerRow(item) for item in items(self._values, tag)]


def fits_residual(residual: Sequence[Match], values: Values) -> bool:
    """Tell whether a row fits what the server was not sure to match."""
    row = AnswerRow(values)
    return all(fits(match, row) for match in residual)
