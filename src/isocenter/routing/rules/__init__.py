"""Conditions over an instance and how it came, and ordered rules made of them.

Holds: the expression language (parse, format, evaluate, explain) and the decision that rules come to.
Never: runs code, a regular expression or anything unbounded that a rule says, or tells a value unless asked to.
Start reading at: `expression.py`.
"""
