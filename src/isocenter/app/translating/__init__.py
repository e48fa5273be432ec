"""DIMSE in front of an archive that speaks only DICOMweb (routing-and-gateway 6.1 to 6.5).

    C-FIND ──▶ finding ──▶ QIDO-RS, page by page
    C-MOVE, C-GET ──▶ listing ──▶ QIDO-RS; fetching ──▶ WADO-RS ──▶ C-STORE
    C-STORE ──▶ storing ──▶ STOW-RS, answered when the service has it
    storage commitment ──▶ committing ──▶ QIDO-RS

The services themselves are those of the node's own archive (`dimse/scp`); here is what they are given in its place.
Start reading at `running.py`.
"""
