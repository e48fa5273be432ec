"""The embedded identity provider: the parts of Entra ID that clients of the service use.

Holds: discovery documents, the token endpoints of both versions, authorization codes, what registers applications.
Never: speaks HTTP; that is the web room's. Never keeps or logs a secret.
Start reading at: `token_endpoint.py`.
"""
