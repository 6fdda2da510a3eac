"""Which surrogate stands for which patient, record or user; the only place that knows.

Modules: `surrogate` (how a surrogate is computed and checked), `map` (the sealed,
append-only identity map). Nothing outside learns an identifier from here except through
`identity.reveal`, which `app.disclose` alone may use.
"""
