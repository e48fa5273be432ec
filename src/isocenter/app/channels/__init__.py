"""Channels in a running node: where instances come in for others, what is planned for them, who may start and stop it.

Holds: the configuration with its versions, each channel with its source, control that outlives the process.
Never: sends an instance itself, or acknowledges one whose deliveries are not planned.
Start reading at: `router.py`.
"""
