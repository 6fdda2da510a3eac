"""The record and its bytes: typed records, closed vocabularies, field policy, one byte form.

Modules: `shapes` (what one field may hold), `codes` (closed vocabularies and the log of
each event type), `audit`, `security`, `quality`, `alert`, `genesis` (the records),
`vocabulary` (the tenant's own terms), `canonical` (bytes and back, under the field
policy), `ids` (UUIDv7 and times), `protected` (values that cannot be printed),
`unprotect` (their one opener), `fhir` (resource type names).
"""
