"""Which surrogate stands for which patient, record or user; the only place that knows.

Modules: `surrogate` (how a surrogate is computed and checked), `map` (the sealed,
append-only identity map), `lookup` (from an identifier to its surrogate), `aliases` (by
which other identifiers a patient is recognised), `spelling` (the one form of each).
Nothing outside learns an identifier from here except through `identity.reveal`, which
`app.disclose` alone may use.
"""
