"""Builders, real parts and processes that the tests share."""
