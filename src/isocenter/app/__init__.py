"""Compose a node: settings, wiring, lifecycle, commands, doctor.

Holds: the only place where rooms are joined.
Never: holds a rule of the domain.
Start reading at: `wiring.py`.
"""
