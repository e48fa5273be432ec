"""Open associations and ask others.

Holds: the client over asyncio, one module per service.
Never: retries; whoever asks does.
Start reading at: `client.py`.
"""
