"""Which earlier studies of a patient are worth fetching before somebody asks for them, and why others are not.

Holds: triggers, rules, body regions, scores with explanations, what is missing here.
Never: asks an archive, or knows what time it is.
Start reading at: `choose.py`.
"""
