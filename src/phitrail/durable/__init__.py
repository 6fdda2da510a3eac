"""Getting bytes onto disk so that an acknowledgement is true.

Modules: `queue` (group commit with one writer thread), `database` (SQLite opened so that
COMMIT means fsync), `files` (many files, two syncs, renames), `lock` (a lock that the
kernel releases when its process dies). Nothing here knows what the bytes mean (ADR 0003).
"""
