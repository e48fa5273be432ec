"""Console pages, the viewer's hosting, and the JSON they use.

Holds: pages, templates, static files, the viewer's archive.
Never: reaches data other than through a use case.
Start reading at: `pages/studies.py`.
"""
