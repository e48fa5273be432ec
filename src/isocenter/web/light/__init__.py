"""The light viewer: pages that show a study's pictures, reports and attributes, rendered by the node.

Holds: what an address names, what a picture's page says, routes.
Never: decodes pixels, decides who may see what.
Start reading at: `routes.py`.
"""
