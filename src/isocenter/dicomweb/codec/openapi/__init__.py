"""What the service says of itself: each method on each path described once, for OpenAPI and whoever else asks.

Holds: what each transaction takes and gives, by dialect, and the OpenAPI document made of it.
Never: names a path; the table of routes does, and a route without a description fails a test.
Start reading at: `description.py`.
"""
