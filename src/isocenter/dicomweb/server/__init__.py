"""The DICOMweb edge: a table of routes, each decoding, calling one use case, encoding."""
