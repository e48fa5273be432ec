"""Keep a FHIR server in step with the feed.

Holds: what DICOM attributes mean in FHIR R4 (`mapping`), a client of a FHIR server, a durable reader of the feed.
Never: reads the archive other than through the feed and use cases.
Start reading at: `cast.py`.
"""
