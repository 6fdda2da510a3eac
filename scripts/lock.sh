#!/bin/sh
# Compile the locked requirement files: hashes, no index address, all Pythons from 3.11.
# Needs `uv` on the PATH.
set -eu
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
compile --output-file requirements/run.txt requirements/run.in pyproject.toml
compile --output-file requirements/test.txt --extra test requirements/run.in pyproject.toml
