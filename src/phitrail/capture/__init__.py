"""The only way into the logs.

Modules: `recorder` (the one door: check, commit identities, append), `access` (opening and
closing an access), `text_hash` (keyed hashes of texts), `importer` (files of events).
"""
