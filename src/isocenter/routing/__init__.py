"""Channels, rules, transforms, deliveries, retries, the shelf for people.

Holds: what routing decides, as values and pure functions (rules, transforms, configuration, deliveries, failures), and
the engine that sends deliveries by them.
Never: keeps a queue beside the ledger, or speaks to a peer itself.
Start reading at: `configuration/channel.py`.
"""
