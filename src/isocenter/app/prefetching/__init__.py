"""Fetch earlier studies before somebody asks for them: triggers, runs of rules, sources that are searched and asked.

Holds: what searches and fetches, what follows the feed and the work list, what carries runs out.
Never: decides which study is worth fetching; that is `routing/prefetch`.
Start reading at: `run.py`.
"""
