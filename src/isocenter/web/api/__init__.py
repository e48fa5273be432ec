"""JSON and metrics for programs that look after a node."""
