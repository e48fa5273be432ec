"""Speak DIMSE.

Holds: the upper layer, messages, their codecs, and the SCP and SCU of each service over asyncio.
Never: decides anything: decode, one use case, encode.
Start reading at: `shell/service.py`.
"""
