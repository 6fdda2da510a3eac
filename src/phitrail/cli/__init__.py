"""The command line: parse, call `app` or `demo`, print.

Modules: `main` (entry point, errors), `top` (init, status), `verify`, `demo`, `log` (import,
show, tail, prove, export), `options` (what every verb takes), `output` (data to stdout,
words and progress to stderr), `exit_codes` (the one table of them).
"""
