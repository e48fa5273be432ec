"""Ask another DICOMweb service: store, search, retrieve, delete.

Holds: the client that commands and destinations use.
Never: retries; that is the caller's journey.
Start reading at: `client.py`.
"""
