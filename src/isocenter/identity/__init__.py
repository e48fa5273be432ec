"""Who is calling: from a request's evidence to a principal.

Holds: what turns evidence into a `Principal`, the embedded identity provider, external issuers, the local authority.
Never: decides what a principal may do; that is the domain's.
Start reading at: `gate.py` for HTTP, `application_entity.py` for DIMSE.
"""
