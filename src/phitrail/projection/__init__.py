"""The logs as tables: a copy to ask questions of, made from the log and nothing else.

Modules: `rows` (which columns a log has), `fold` (leaves into columns), `segments` (the
Parquet files and their manifest), `segment_file` (writing and joining them), `follower`
(reads the log, closes segments, gives the tail; run by `app` alone), `tables` (DuckDB over
segments and tail, locked down), `views` (names that an analyst guesses), `volume` (is the
disk encrypted?). Judges import `rows` and `tables`, which know no log module.
"""
