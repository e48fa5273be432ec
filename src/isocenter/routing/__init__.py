"""Channels, rules, transforms, deliveries, retries, the shelf for people.

Holds: rules as values and what they come to.
Never: keeps a queue beside the ledger, or speaks to a peer itself.
Start reading at: `rules/expression.py`.
"""
