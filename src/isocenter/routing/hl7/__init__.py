"""HL7 version 2 messages over MLLP, as far as orders, appointments and admissions tell of studies to come.

Holds: the framing of MLLP, messages as segments, acknowledgements, what an order says.
Never: opens a socket, or puts what a message says of a patient into an error.
Start reading at: `order.py`.
"""
