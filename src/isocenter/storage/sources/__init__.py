"""Where imports come from.

Holds: sources over folders and over containers of Azure Blob Storage.
Never: follows a link, or removes a file that is not the one that was read.
Start reading at: `folder.py`.
"""
