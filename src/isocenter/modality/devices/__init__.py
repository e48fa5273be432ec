"""Devices that make studies and send them: who they are, what they do in order, and what they do wrong.

Holds: profiles, what a device makes of an order, its performed steps, its associations, its misbehaviours, the scripts.
Never: starts an event loop, reads a clock or decides which peers there are; `app/modality` does.
Start reading at: `profile.py`.
"""
