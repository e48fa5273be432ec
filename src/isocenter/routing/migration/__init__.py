"""The migration of an archive as thoughts: what to ask, in which order, how long it takes, what a check proves.

Holds: slices of an inventory, anomalies, waves, estimates, concurrency, samples, comparisons, the manifest.
Never: asks a source, writes a file, or knows a clock.
Start reading at: `slices.py`.
"""
