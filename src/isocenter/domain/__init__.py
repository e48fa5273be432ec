"""Values and rules: identifiers, queries, attributes, permissions, errors.

Holds: frozen values and the rules between them.
Never: does I/O, reads a clock, logs, or imports another room.
Start reading at: `errors.py`.
"""
