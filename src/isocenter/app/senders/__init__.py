"""Senders: what carries deliveries to destinations of each kind, over the protocols that the node speaks.

Holds: one sender for each kind of destination, and the evidence and connections that they need.
Never: decides when something is sent, or what a failure means for a delivery.
Start reading at: `open_sender.py`.
"""
