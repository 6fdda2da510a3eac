#!/bin/sh
# Compile the locked requirement files: hashes, no index address. Needs `uv` on the PATH.
set -eu
compile() {
    python_version=$1
    shift
    uv pip compile --quiet --universal --python-version "$python_version" \
        --generate-hashes --no-emit-index-url --no-header --no-annotate "$@"
}
compile 3.11 --output-file requirements/run.txt requirements/run.in pyproject.toml
compile 3.11 --output-file requirements/test.txt --extra test requirements/run.in pyproject.toml
compile 3.12 --output-file requirements/oracles.txt requirements/oracles.in
compile 3.11 --output-file requirements/vaults.txt requirements/vaults.in
compile 3.11 --output-file requirements/train.txt requirements/train.in
compile 3.11 --output-file requirements/presidio.txt --extra presidio requirements/run.in requirements/presidio.in pyproject.toml
compile 3.11 --output-file requirements/quality_peers.txt requirements/quality_peers.in
compile 3.11 --output-file requirements/sigma.txt requirements/sigma.in
compile 3.11 --output-file requirements/spark.txt requirements/spark.in
