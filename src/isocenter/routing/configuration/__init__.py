"""The configuration of channels: one readable TOML file as values, and back.

Holds: sources, destinations, channels as values; reading with every problem named, writing, comparing in words.
Never: holds a secret, only its name.
Start reading at: `channel.py`.
"""
