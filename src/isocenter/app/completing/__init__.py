"""Know when studies are whole: follow the feed and performed steps, judge by evidence, tell whoever waits for it.

Holds: the tracker, what it reads from performed steps and manifests, what commands and channels ask.
Never: decides what is evidence; that is `routing/completeness`.
Start reading at: `tracker.py`.
"""
