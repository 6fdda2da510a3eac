"""Anchors: places off this host that hold a log's checkpoints, and what they gave back.

A log that never leaves its host shows only consistency with itself. An anchor takes a
signed checkpoint and returns evidence that it took it: a witness its cosignature, a time
stamp authority a token, a mailbox or another disk the note itself. `held` says what an
anchor is; each kind has a file of its own.
"""
