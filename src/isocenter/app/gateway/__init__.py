"""DICOMweb in front of an archive that speaks only DIMSE (routing-and-gateway 6.6).

    QIDO-RS ──▶ search ──▶ C-FIND, level by level
    WADO-RS ──▶ fetch ──▶ C-GET or C-MOVE ──▶ cache ──▶ answer
    STOW-RS ──▶ cache ──▶ C-STORE ──▶ a status for each instance

What is retrieved comes through a cache: a small archive of the node's own, so that every representation that the node
can give of its own instances it can give of theirs. Start reading at `application.py`.
"""
