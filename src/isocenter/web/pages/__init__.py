"""Pages of the console, one module for each and one for what it is made of.

Holds: routes of pages, what their address says, what their rows show.
Never: reaches data other than through a use case.
Start reading at: `studies.py`.
"""
