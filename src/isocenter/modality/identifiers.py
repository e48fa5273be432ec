"""UIDs that follow from a seed, so that the same study is made twice with the same identifiers."""

from __future__ import annotations

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f0a2d1c-3b58-5e7d-9a44-150ce27e5b01")
IMPLEMENTATION_CLASS_UID = f"2.25.{uuid5(_NAMESPACE, 'implementation').int}"
IMPLEMENTATION_VERSION_NAME = "ISOCENTER_MODAL"


def derive_uid(seed: int, *parts: str | int) -> str:
    """Return a UID under 2.25 that is always the same for a seed and a path of parts (PS3.5 B.2)."""
    return f"2.25.{uuid5(_NAMESPACE, '/'.join(str(part) for part in (seed, *parts))).int}"
