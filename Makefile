# `make demo` and `make test` each do all the set-up on a fresh clone; a second run starts at once.
.PHONY: setup demo test lint sample screenshots conf docs bench month clean
SHELL := /bin/bash
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@found=""; \
	for candidate in $(PYTHON) python3.12 python3.11 python3 python; do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; \
	  then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "roadgraph needs Python 3.11 or 3.12 with venv; none is on the PATH (set PYTHON=/path/to/python)"; exit 2; \
	fi; \
	echo "setting up .venv with $$($$found --version); this takes some minutes, once"; \
	$$found -m venv .venv
	@$(PIP) setuptools wheel
	@$(PIP) --no-build-isolation --editable '.[dev,pipelines]'
	@if ! command -v c++ >/dev/null && ! command -v g++ >/dev/null; then \
	  echo "no C++ compiler: going on without torch-scatter (PyTorch Geometric has its own scatter)"; \
	elif ! $(PIP) --no-build-isolation torch-scatter >.venv/torch-scatter.log 2>&1; then \
	  echo "torch-scatter could not be built (see .venv/torch-scatter.log): going on without it"; \
	fi
	@touch $@

demo: setup
	@.venv/bin/roadgraph demo

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

# A thread a worker: two that share two cores slow each other down. Each begins with a half of the
# tests in their order, so that what tests of a module share is mostly made once.
test: lint
	@OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses 2 --dist worksteal

# The defaults in conf/ are written from their definitions in roadgraph/settings/.
conf: setup
	@.venv/bin/python -m roadgraph.config

# The reference of all settings is written from the same definitions.
docs: setup
	@.venv/bin/python -m roadgraph.documentation

# SUMO is needed for this alone; it takes about half an hour on 2 cores.
sample: setup
	@$(PIP) --no-build-isolation --editable '.[sample]'
	@.venv/bin/python data/sample/make_sample.py

# After `make demo` or `roadgraph compare`; Chromium is needed too (apt-get install chromium).
screenshots: setup
	@$(PIP) --no-build-isolation --editable '.[screenshots,pages]'
	@.venv/bin/python data/screenshots/make_screenshots.py

# Some 20 minutes on 2 cores, with nothing beside it; it writes benchmarks/RESULTS.md. Roadgraph's own
# start-up is measured on the city that `make demo` trains.
bench: setup
	@.venv/bin/python benchmarks/run_all.py

# Two weeks of nightly runs with late, missing and broken fixes; it takes some minutes.
month: setup
	@.venv/bin/python benchmarks/simulated_month.py

clean:
	rm -rf .venv data/work
