"""Channels, rules, transforms, deliveries, retries, the shelf for people.

Holds: nothing yet.
Never: keeps a queue beside the ledger, or speaks to a peer itself.
Start reading at: planned: `channel.py`.
"""
