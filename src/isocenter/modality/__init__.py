"""Synthetic studies and the behaviour of devices.

Holds: phantoms made from a seed, studies and benchmark sets made of them; faults between components, outages.
Never: copies or depends on real patient data.
Start reading at: `studies.py`.
"""
