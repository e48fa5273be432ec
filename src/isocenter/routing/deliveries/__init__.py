"""What becomes of an instance on its way to one destination.

Holds: why deliveries fail and what follows, waits, the breaker of a destination, the states of a delivery.
Never: counts attempts to give up by, or knows a clock.
Start reading at: `delivery.py`.
"""
