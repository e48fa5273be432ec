"""What a viewer has drawn, made small: robust against fonts and edges, and without golden pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

EDGE = 64
FIRST_PICTURE_TIMEOUT_MS = 60_000
"""Three seconds on an idle machine; a loaded one with two cores takes much longer."""
BRIGHT_PIXELS_MIN = 40
"""Of 4096: less than this is an empty viewport with a scale in it."""

Picture = npt.NDArray[np.int16]

_SAMPLE = """() => [...document.querySelectorAll("canvas.cornerstone-canvas")].map(canvas => {
  const small = document.createElement("canvas");
  small.width = small.height = 64;
  const context = small.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0, 64, 64);
  const rgba = context.getImageData(0, 0, 64, 64).data;
  return [...rgba].filter((_, position) => position % 4 < 3);
})"""

_SETTLED = (
    """async ([canvases, bright, timeout]) => {
  const read = """
    + _SAMPLE
    + """;
  const isDrawn = picture => picture.filter(value => value > 16).length > bright * 3;
  let before = "";
  for (const end = performance.now() + timeout; performance.now() < end;) {
    const pictures = read(), now = JSON.stringify(pictures);
    if (pictures.length === canvases && pictures.every(isDrawn) && now === before) return pictures;
    before = now;
    await new Promise(resolve => setTimeout(resolve, 400));
  }
  return null;
}"""
)


def wait_for_pictures(page: Page, *, canvases: int = 1) -> list[Picture]:
    """Wait until as many canvases show something and stand still, and return what they show, small.

    The page itself looks: its policy forbids the evaluation of text that waiting from outside needs.
    """
    found = page.evaluate(_SETTLED, [canvases, BRIGHT_PIXELS_MIN, FIRST_PICTURE_TIMEOUT_MS])
    assert found is not None, f"{canvases} canvases did not show a picture within {FIRST_PICTURE_TIMEOUT_MS} ms"
    return [_picture(values) for values in found]


def read_pictures(page: Page) -> list[Picture]:
    """Return what the canvases show now, small: one array of rows, columns and colours for each."""
    return [_picture(values) for values in page.evaluate(_SAMPLE)]


def mean_difference(one: Picture, other: Picture) -> float:
    """Return by how many of 256 levels two pictures differ on average."""
    return float(np.abs(one - other).mean())


def _picture(values: list[int]) -> Picture:
    return np.array(values, np.int16).reshape(EDGE, EDGE, 3)
