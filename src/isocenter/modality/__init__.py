"""Synthetic studies and the behaviour of devices.

Holds: phantoms made from a seed, the studies, encodings and benchmark sets made of them; faults and outages as scenarios.
Never: copies or depends on real patient data.
Start reading at: `studies.py`.
"""
