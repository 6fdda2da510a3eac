"""The append-only Merkle log: hashes, proofs, tiles, notes and checkpoints.

The pure modules take bytes and give bytes, so that an offline verifier stands on them
alone: ``hashing``, ``merkle``, ``proof``, ``tile``, ``note``, ``checkpoint`` and
``proof_file``. Import the module that does the work; this face exports nothing.
"""
