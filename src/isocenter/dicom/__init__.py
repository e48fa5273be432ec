"""Data sets as bytes: scan, JSON model, character sets, frames, transfer syntaxes, rendering.

Holds: pure functions over buffers.
Never: does I/O, or builds a pydicom Dataset on the ingest or metadata path.
Start reading at: `scan.py`.
"""
