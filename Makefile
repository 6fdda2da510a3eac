# Each verb makes its own environment first. Needs: git, make, Python >= 3.11 with venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
RUN = .venv/run
TEST = .venv/test
PIP = -m pip --disable-pip-version-check --quiet
PART ?= log
# A Python >= 3.12 for other people's verifiers; without one their tests skip and say so.
PHITRAIL_PY312 ?= $(shell for p in python3.13 python3.12 \
	$(wildcard $(HOME)/.pyenv/versions/3.1[23]*/bin/python3); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null \
	&& echo $$p && break; done)
ORACLES = .venv/oracles
TRAIN = .venv/train
MODEL = src/phitrail/guard/data/tagger.npz
PRESIDIO = .venv/presidio
SIGMA = .venv/sigma
SPARK = .venv/spark
VAULTS = .venv/vaults
QUALITY_PEERS = .venv/quality-peers

.PHONY: demo test test-all check fix bench train presidio quality-peers docs lock clean

demo: $(RUN)/ready  ## set up, then run the main job in a small clinic
	$(RUN)/bin/phitrail demo $(ARGS)

test: $(TEST)/ready  ## set up, then pass the tests (under 10 minutes on two cores)
	$(TEST)/bin/python -m pytest -n auto --dist loadscope -m "not long" $(ARGS)

test-all: $(TEST)/ready $(TRAIN)/ready $(VAULTS)/ready $(if $(PHITRAIL_PY312),$(ORACLES)/ready)  ## the same, with long faults, real vaults and other people's verifiers
	PHITRAIL_LONG=1 $(TEST)/bin/python -m pytest -n auto --dist loadscope $(ARGS)

check: $(TEST)/ready  ## ruff, mypy strict, import contracts
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

fix: $(TEST)/ready
	$(TEST)/bin/ruff check --fix .
	$(TEST)/bin/ruff format .

bench: $(TEST)/ready  ## medians and ratios in one run: make bench PART=log
	$(TEST)/bin/python -m bench.$(PART) $(ARGS)

presidio: $(PRESIDIO)/ready  ## set up what the guard is compared with; bench and tests find it

quality-peers: $(QUALITY_PEERS)/ready  ## set up what change points are compared with; bench finds it

sigma: $(SIGMA)/ready  ## set up what the tail is compared with; make bench PART=detect finds it

spark: $(SPARK)/ready  ## set up Spark, for the tests of the SQL of rules; Java 17 must be here

docs: $(TEST)/ready  ## write the generated parts of docs/ anew
	$(TEST)/bin/python -m scripts.make_records_doc
	$(TEST)/bin/python -m scripts.make_cli_doc
	$(TEST)/bin/python -m scripts.make_tables_doc
	$(TEST)/bin/python -m scripts.make_quality_doc
	$(TEST)/bin/python -m scripts.make_grafana

train: $(TRAIN)/ready  ## train the guard's tagger anew (minutes; the same bytes for one seed)
	JAX_PLATFORMS=cpu PYTHONPATH=src:. $(TRAIN)/bin/python -m training.guard.train --out $(MODEL) $(ARGS)

lock: $(TEST)/ready  ## recompile requirements/*.txt (hashes, no index address)
	sh scripts/lock.sh

$(TRAIN)/ready: requirements/train.txt
	$(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python $(PIP) install --require-hashes -r requirements/train.txt
	touch $@

clean:
	rm -rf .venv

# The project is installed without dependencies and without build isolation: all that it
# needs, the build backend too, comes from the compiled files.
$(RUN)/ready: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(RUN)
	$(RUN)/bin/python $(PIP) install --require-hashes -r requirements/run.txt
	$(RUN)/bin/python $(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(TEST)/ready: requirements/test.txt pyproject.toml
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP) install --require-hashes -r requirements/test.txt
	$(TEST)/bin/python $(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(ORACLES)/ready: requirements/oracles.txt
	$(PHITRAIL_PY312) -m venv $(ORACLES)
	$(ORACLES)/bin/python $(PIP) install --require-hashes -r requirements/oracles.txt
	touch $@

$(VAULTS)/ready: requirements/vaults.txt
	$(PYTHON) -m venv $(VAULTS)
	$(VAULTS)/bin/python $(PIP) install --require-hashes -r requirements/vaults.txt
	touch $@

$(PRESIDIO)/ready: requirements/presidio.txt pyproject.toml
	$(PYTHON) -m venv $(PRESIDIO)
	$(PRESIDIO)/bin/python $(PIP) install --require-hashes -r requirements/presidio.txt
	$(PRESIDIO)/bin/python $(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(QUALITY_PEERS)/ready: requirements/quality_peers.txt
	$(PYTHON) -m venv $(QUALITY_PEERS)
	$(QUALITY_PEERS)/bin/python $(PIP) install --require-hashes -r requirements/quality_peers.txt
	touch $@

$(SIGMA)/ready: requirements/sigma.txt
	$(PYTHON) -m venv $(SIGMA)
	$(SIGMA)/bin/python $(PIP) install --require-hashes -r requirements/sigma.txt
	touch $@

$(SPARK)/ready: requirements/spark.txt
	$(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python $(PIP) install --require-hashes -r requirements/spark.txt
	touch $@
