"""Data sets of DIMSE messages to values of the domain and back, without I/O.

Holds: what identifiers, action and event information, and attribute lists say.
Never: asks a use case, or knows of associations.
Start reading at: `worklist.py`.
"""
