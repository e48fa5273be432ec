"""Who is calling: from a request's evidence to a principal.

Holds: authenticators that turn evidence into a `Principal`.
Never: decides what a principal may do; that is the domain's.
Start reading at: `authenticate.py` for HTTP, `application_entity.py` for DIMSE.
"""
