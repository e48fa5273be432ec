"""Speak DICOMweb.

Holds: the sans-I/O codec, the server's routes, the client.
Never: decides anything: decode, one use case, encode.
Start reading at: `server/routes.py`.
"""
