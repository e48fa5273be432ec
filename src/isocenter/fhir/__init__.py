"""Keep a FHIR server in step with the feed.

Holds: nothing yet.
Never: reads the archive other than through the feed and use cases.
Start reading at: planned: `mapping/`.
"""
