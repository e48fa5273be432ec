"""What passes between the node and a decoding process, both ways over pipes.

    node → process   lengths | image pixel attributes as JSON | the compressed frame
    process → node   READY, once
    process → node   verdict, length | samples, or the reason why there are none

What comes back is never parsed further than that: the process may be in the hands of the one who sent the frame.
"""

from __future__ import annotations

import struct

REQUEST = struct.Struct("<IQ")
"""Length of the JSON, length of the frame."""
REPLY = struct.Struct("<BQ")
"""Verdict, length of what follows."""

READY = b"R"
DECODED = 0
REFUSED = 1
"""Followed by the reason as text."""
EXHAUSTED = 2
"""The same, from a process that ran out of memory and ends: what is left of its memory may be in shreds."""

REASON_LENGTH_MAX = 200
"""Longer than any sentence of the codecs' room."""
