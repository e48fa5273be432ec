"""Sizes as pages show them."""

from __future__ import annotations


def format_bytes(size_bytes: float) -> str:
    """Return a size in its largest unit of a thousand: `525 kB`, `3.1 GB`."""
    amount = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
