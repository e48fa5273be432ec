"""Tests: `unit` (pure), `conformance` (ports), `interop` (other people's programs), `e2e`, `tidy`, `support`."""
