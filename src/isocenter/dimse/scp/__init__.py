"""Accept associations and perform what their requestors ask.

Holds: the listener, who is admitted, the table of services, one module per service.
Never: decides about data: a service decodes, asks one use case, encodes.
Start reading at: `listener.py`.
"""
