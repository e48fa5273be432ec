"""What a viewport must show of a rendered frame: the frame fitted into its middle, made small."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from tests.support.canvases import EDGE, Picture


def fitted(content: bytes, *, width: int, height: int) -> Picture:
    """Return a picture as a viewport of a size shows it: as large as it fits, in the middle, on black."""
    image = Image.open(BytesIO(content)).convert("RGB")
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    whole = Image.new("RGB", (width, height))
    whole.paste(image.resize(size, Image.Resampling.BILINEAR), ((width - size[0]) // 2, (height - size[1]) // 2))
    small: Picture = np.asarray(whole.resize((EDGE, EDGE), Image.Resampling.BOX), np.int16)
    return small
