"""What an outsider can check: the offline verifier.

Modules: `verify` (one log, step by step; start there), `derive` (hashes of entries and tiles
over a range, the hot loop), `ladder` (tiles above the lowest level), `entries` (what an
opened entry must say), `continuation` (what is not published yet), `findings` (what was found
wrong, and where). They stand on hashes and signatures alone: bytes come in through callables,
and no file, secret or database is known here.
"""
