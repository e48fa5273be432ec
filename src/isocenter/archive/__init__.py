"""Use cases of the archive: store, search, retrieve, delete, feed.

Holds: one module per feature, each over ports.
Never: knows HTTP, DIMSE, SQL or files.
Start reading at: `store.py`.
"""
