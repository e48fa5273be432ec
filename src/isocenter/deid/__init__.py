"""De-identification profiles and engine, no I/O.

Holds: nothing yet.
Never: does I/O, or keeps a value that a profile removes.
Start reading at: planned: `engine.py`.
"""
