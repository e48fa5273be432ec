"""Changes to attributes on the way to a destination (tag morphing).

Holds: steps as values, their application to a data set, the preview of what changes.
Never: changes what identifies an instance or says how its pixels are read, or a byte that no step names.
Start reading at: `step.py`.
"""
