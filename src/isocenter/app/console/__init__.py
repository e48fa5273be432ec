"""The console of a node: the pages that its role has, joined with what they show."""
