"""What instances of a study mean in FHIR R4: from attributes and what a server has to what is to be written.

Holds: Patient, Endpoint, ImagingStudy and Observation, and the plan that brings a server to them.
Never: asks a server or the archive, knows the time.
Start reading at: `plan.py`.
"""
