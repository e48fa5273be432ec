"""Adapters of the ports: SQLite index, local packs, memory, decoding processes.

Holds: one drawer per technology.
Never: decides what is stored; that is the archive's.
Start reading at: `memory/index.py`, the obvious one, then a drawer's `__init__`.
"""
