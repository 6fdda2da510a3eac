"""Keys: where they live, and what is done with them.

Modules: `names` (which keys a trail has), `local` (key files of mode 0600, the embedded
default), `sealing` (seal and open bytes, one wrapped data key for each), `mac` (keyed hashes),
`recovery` (the offline key that `init` hands out once). Nothing here writes the log.
"""
