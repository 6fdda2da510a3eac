"""Where parts meet: configuration, wiring, the pipeline's tick, the clock.

Modules: `config` (tenant.yaml and policy.yaml), `wiring` (which parts make a trail),
`founding` (a new trail), `pipeline` (what runs beside the writers), `clock`, `reading`
(reads that record themselves), `verification` (a trail against itself and the outside),
`export` (other people's forms).
"""
