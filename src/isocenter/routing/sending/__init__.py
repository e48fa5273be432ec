"""The engine that sends deliveries: for each destination its own workers, breaker, hours, rates and priorities.

Holds: who sends what when, as pure decisions, and the threads that carry them out through the port of senders.
Never: speaks a protocol, or lets one destination wait for another.
Start reading at: `engine.py`.
"""
