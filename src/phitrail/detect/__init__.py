"""Security judgments: Sigma rules over the committed rows of the logs.

Modules: `source` (YAML with places), `schema` (which fields a rule may name), `typed` (what a
rule means), `condition`, `selection`, `parts` and `rule` (from YAML to it), `digest` (its
meaning as a hash), `packaged` (the rules that come with phitrail), `rule_tests` (the tests in
rule files), `row` and `enrich` (a record as rules see it, and its local time), `match` (a
selection as a function), `windows` and `tail` (row by row), `sql` (the same over history).
Nothing here reads a log or writes one: rows come in, alerts go out, `app` records them.
"""
