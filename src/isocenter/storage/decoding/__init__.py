"""Frames decoded by processes of their own, with limits on time and memory (S30).

Holds: the pool, the processes as seen from the node, and the program that they run.
Never: takes anything from such a process but a verdict and bytes of a length known before.
Start reading at: `pool.py`; what passes between the processes is in `messages.py`.
"""

from __future__ import annotations

from isocenter.storage.decoding.pool import DecodingPool

__all__ = ["DecodingPool"]
