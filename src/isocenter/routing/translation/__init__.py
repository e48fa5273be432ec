"""From DIMSE to DICOMweb and back, as values: what a server can do, and what of a search it is asked.

Holds: capability profiles of DICOMweb servers, the translation of a search into QIDO-RS.
Never: asks a server for less than the search means, or believes that it matched as asked where it may not have.
Start reading at: `search.py`.
"""
