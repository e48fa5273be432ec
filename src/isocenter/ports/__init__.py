"""The seams of the archive as small protocols.

Holds: what a use case needs from the outside: blobs, index, clock.
Never: holds an implementation.
Start reading at: `blobs.py`.
"""
