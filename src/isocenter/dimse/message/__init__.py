"""DIMSE messages (PS3.7): values, their command sets, and the way into and out of PDVs.

Holds: every DIMSE-C and DIMSE-N message, the assembler and the fragmenter.
Never: looks into a data set, does I/O, or knows what a service does.
Start reading at: `messages.py`.
"""
