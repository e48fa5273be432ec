"""Whether a study is whole, by evidence: what tells it, how long silence must last where nothing does.

Holds: evidence and what follows from it, quiet times learned from gaps, what late instances change.
Never: asks an archive, or knows what time it is.
Start reading at: `judge.py`.
"""
