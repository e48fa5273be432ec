"""What a viewer has drawn, made small: robust against fonts and edges, and without golden pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from playwright.sync_api import Page

EDGE = 64
FIRST_PICTURE_TIMEOUT_MS = 60_000
"""Three seconds on an idle machine; a loaded one with two cores takes much longer."""
BLACK_MAX = 16
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
    """([canvases, bright]) => {
  const pictures = ("""
    + _SAMPLE
    + """)();
  const drawn = pictures.filter(picture => picture.filter(value => value > 16).length > bright * 3);
  const now = JSON.stringify(pictures);
  const same = window.isocenterLastPictures === now;
  window.isocenterLastPictures = now;
  return same && pictures.length === canvases && drawn.length === canvases;
}"""
)


def wait_for_pictures(page: Page, *, canvases: int = 1) -> list[Picture]:
    """Wait until as many canvases show something and stand still, and return what they show, small."""
    page.wait_for_function(_SETTLED, arg=[canvases, BRIGHT_PIXELS_MIN], polling=400, timeout=FIRST_PICTURE_TIMEOUT_MS)
    return read_pictures(page)


def read_pictures(page: Page) -> list[Picture]:
    """Return what the canvases show now, small: one array of rows, columns and colours for each."""
    return [np.array(values, np.int16).reshape(EDGE, EDGE, 3) for values in page.evaluate(_SAMPLE)]


def mean_difference(one: Picture, other: Picture) -> float:
    """Return by how many of 256 levels two pictures differ on average."""
    return float(np.abs(one - other).mean())
