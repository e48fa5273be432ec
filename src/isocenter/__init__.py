"""isocenter: a hospital's imaging network as one program."""

from __future__ import annotations

__version__ = "0.1.0"
