"""Why a transform cannot be made on an instance."""

from __future__ import annotations

from isocenter.domain.errors import InvalidDataset


class TransformRefused(InvalidDataset):
    """A step of a transform cannot be carried out on this instance."""
