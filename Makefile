# Everything installs itself into .venv; PYTHON picks the interpreter (3.10 or later).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Small matrices: threads inside BLAS only fight over the cores.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo gpaw abinit demo-dft test test-slow test-long lint format bench-accuracy bench-limits bench-speed bench-fit \
	bench-monte-carlo bench-study docs wheel clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# Peers that do not install are left out of the table, with the reason.
$(VENV)/.installed-bench: pyproject.toml | $(VENV)/.installed
	-$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	@touch $@

demo: $(VENV)/.installed ## run the bcc Fe campaign to its end: .demo/model.soso, .demo/report.html
	VENV=$(VENV) sh .ci/demo

# Needs a compiler and two libraries; as root on Debian it installs them.
$(VENV)/.installed-gpaw: .ci/gpaw .ci/gpaw_siteconfig.py | $(VENV)/.installed
	VENV=$(VENV) sh .ci/gpaw
	@touch $@

gpaw: $(VENV)/.installed-gpaw ## build and install GPAW, the open DFT engine

demo-dft: gpaw ## run the bcc Fe campaign on GPAW labels (half an hour): .demo-dft/model.soso, .demo-dft/report.html
	VENV=$(VENV) sh .ci/demo bcc_fe_gpaw .demo-dft
	VENV=$(VENV) sh .ci/demo-dft

# Elsewhere install ABINIT 9.6 or later and name it in the settings.
abinit: ## install the DFT program ABINIT and its pseudopotentials (Debian, as root or by sudo)
	sh .ci/abinit

test: $(VENV)/.installed-dev ## run the test suite (minutes)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.installed-dev ## run the tests that take minutes each
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

test-long: $(VENV)/.installed-dev ## run the tests that take tens of minutes or need a DFT program (make gpaw, make abinit)
	$(BIN)/python -m pytest -m long --timeout 0 -n 2 --dist loadfile

lint: $(VENV)/.installed-dev ## style, types, import directions
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-accuracy: $(VENV)/.installed ## errors on published data: benchmarks/results/accuracy.json
	$(BIN)/python benchmarks/accuracy.py

bench-limits: $(VENV)/.installed ## what limits the error on the paramagnet: benchmarks/results/limits.json
	$(BIN)/python benchmarks/limits.py

bench-speed: $(VENV)/.installed-bench ## time per atom beside peers: benchmarks/results/speed.json
	RAYON_NUM_THREADS=1 $(BIN)/python benchmarks/speed.py

bench-fit: $(VENV)/.installed ## time and memory of a fit to 1000 labels: benchmarks/results/fitting.json
	NUMBA_NUM_THREADS=2 $(BIN)/python benchmarks/fitting.py

bench-monte-carlo: $(VENV)/.installed ## time of a million single-spin updates: benchmarks/results/monte_carlo.json
	$(BIN)/python benchmarks/monte_carlo.py

# The pool of four quarters takes ten minutes, the study half an hour; both go on where they were stopped.
bench-study: $(VENV)/.installed ## what active learning saves, on a harder pool: benchmarks/results/study
	$(BIN)/python benchmarks/mixed_pool.py
	$(BIN)/soso study benchmarks/data/mixed_pool.extxyz -o benchmarks/results/study \
		--settings benchmarks/study.yaml --group-by group

docs: $(VENV)/.installed-docs ## build the documentation: docs/_build/index.html
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

wheel: $(VENV)/.installed-dev ## build the wheel and the source archive: dist/
	$(BIN)/python -m build --outdir dist .

clean: ## remove what the targets made, the demo's database included
	rm -rf $(VENV) .demo .demo-dft build dist docs/_build *.egg-info
