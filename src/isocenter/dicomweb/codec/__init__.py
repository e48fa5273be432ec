"""Turn DICOMweb requests into values and values into answers, without I/O.

Holds: multipart, media types, QIDO queries, the JSON of search and store.
Never: reads a socket, a clock or a file.
Start reading at: `multipart.py`.
"""
