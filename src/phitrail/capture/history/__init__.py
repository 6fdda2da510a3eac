"""History: what an old system logged, read in its own form and turned into events.

`form` names the forms, `entry` is what a reader yields, `json_lines`, `json_document`,
`cloudtrail`, `csv_rows` and `fhir` read, `chain` checks the old system's own hashes,
`field_map` turns an entry into a native line, `built_in` and `map_file` say how.
"""
