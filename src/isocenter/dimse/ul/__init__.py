"""The upper layer of DIMSE (PS3.8): bytes in, events and bytes out.

Holds: PDUs, their decoder, the state machine as data, both roles of an association, negotiation.
Never: reads a socket, a clock or a log; knows what a message means.
Start reading at: `association.py`.
"""
