"""Faults between components: what they are, what they do to bytes and messages, and outages as scenarios.

Holds: faults and their keys, sans-I/O interceptors of a connection, scenarios, their schedule and verdict.
Never: opens a socket, starts a process or reads a clock; `app/faults` does.
Start reading at: `fault.py`.
"""
