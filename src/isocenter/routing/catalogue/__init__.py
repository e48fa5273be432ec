"""Every failure that an exchange of images can meet, in words: what happened, on whose side, what to do.

Holds: tables by family and code, and the entry for any code, known or not.
Never: speaks of a value, or leaves a code without an answer.
Start reading at: `entry.py`.
"""
