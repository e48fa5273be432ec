"""Speak DIMSE.

Holds: nothing yet.
Never: decides anything: decode, one use case, encode.
Start reading at: planned: `ul/state.py`.
"""
