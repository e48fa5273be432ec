"""Where exports go.

Holds: sinks over folders and over containers of Azure Blob Storage, and the secrets they need while they work.
Never: writes outside the folder that the operator named, or a secret anywhere but in a file of its own.
Start reading at: `open_sink.py`.
"""
