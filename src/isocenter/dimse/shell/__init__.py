"""The asyncio shell around one association, whichever side opened it.

Holds: socket, timers and flow control around `ul`, messages to services and back, the register of associations, TLS.
Never: knows what a service does; opens or accepts connections (`scu` and `scp` do).
Start reading at: `service.py`, then `connection.py`.
"""
