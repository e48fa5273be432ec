"""A connection test as a report: its steps, what came of each, and what to tell the other side.

Holds: the values of the report, how they are told, what follows from one step for the next.
Never: opens a connection.
Start reading at: `report.py`.
"""
