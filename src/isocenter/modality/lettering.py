"""Text burned into pictures, as devices do that know no better: name, number, birth date, day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from isocenter.modality.plans import StudyPlan

Grey = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

SMALLEST_LETTERS = 8
"""Height in pixels below which nobody could read them."""
_LETTERS_IN_PICTURE = 34
"""Letters are so many times smaller than the picture is high."""
_MARGIN = 0.5
"""Of the height of the letters."""
_OPAQUE = 255


def identity_lines(plan: StudyPlan) -> list[str]:
    """Return what a device writes into a picture about its patient."""
    patient = plan.patient
    name = patient.name.split("=")[0].replace("^", ", ", 1).replace("^", " ").strip()
    return [
        name,
        f"ID {patient.patient_id}",
        f"*{patient.birth_date:%d.%m.%Y}  {patient.sex}",
        f"{plan.started_at:%d.%m.%Y %H:%M}  {plan.accession_number}",
    ]


def put_letters(pixels: Grey, plan: StudyPlan, value: int) -> None:
    """Write who the patient is into the upper left corner of a picture, in place."""
    size = letter_size(pixels.shape[0])
    burn(pixels, identity_lines(plan), at=(int(size * _MARGIN), int(size * _MARGIN)), size=size, value=value)


def letter_size(rows: int) -> int:
    """Return the height of letters that suit a picture."""
    return max(SMALLEST_LETTERS, rows // _LETTERS_IN_PICTURE)


def burn(pixels: Grey, lines: Sequence[str], *, at: tuple[int, int], size: int, value: int) -> None:
    """Write lines of text with their upper left corner at a row and column, in place; what does not fit is cut off."""
    row, column = at
    region = pixels[row:, column:]
    if not region.size:
        return
    share = draw_lines(lines, size=size)[: region.shape[0], : region.shape[1]]
    region = region[: share.shape[0], : share.shape[1]]
    weight = share.astype(np.float32) / _OPAQUE
    region[...] = np.rint(region * (1 - weight) + value * weight).astype(pixels.dtype)


def draw_lines(lines: Sequence[str], *, size: int) -> npt.NDArray[np.uint8]:
    """Return how much of each pixel lines of text cover, from 0 to 255."""
    font = ImageFont.load_default(size)
    height = round(size * 1.25)
    width = max((int(font.getlength(line)) for line in lines), default=0) + 2
    canvas = Image.new("L", (width, height * max(len(lines), 1)))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((1, number * height), line, fill=_OPAQUE, font=font)
    return np.asarray(canvas)
