"""Synthetic studies and the behaviour of devices.

Holds: phantoms made from a seed.
Never: copies or depends on real patient data.
Start reading at: `phantoms.py`.
"""
