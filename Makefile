# Every target installs its requirements into .venv; PYTHON selects the interpreter (3.10 or later).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Multithreaded BLAS slows down small matrices.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo gpaw abinit demo-dft test test-slow test-long coverage lint hooks format bench-accuracy bench-limits bench-speed bench-fit \
	bench-monte-carlo bench-study bench-policy docs wheel clean

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

# A peer that does not install is left out of the table; the table gives the reason.
$(VENV)/.installed-bench: pyproject.toml | $(VENV)/.installed
	-$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	@touch $@

demo: $(VENV)/.installed ## run the bcc Fe demo campaign: .demo/model.soso, .demo/report.html
	VENV=$(VENV) sh .ci/demo

# GPAW needs a compiler and two libraries; as root on Debian the script installs them.
$(VENV)/.installed-gpaw: .ci/gpaw .ci/gpaw_siteconfig.py | $(VENV)/.installed
	VENV=$(VENV) sh .ci/gpaw
	@touch $@

gpaw: $(VENV)/.installed-gpaw ## build and install GPAW, the open DFT engine

demo-dft: gpaw ## run the bcc Fe campaign on GPAW labels (half an hour): .demo-dft/model.soso, .demo-dft/report.html
	VENV=$(VENV) sh .ci/demo bcc_fe_gpaw .demo-dft
	VENV=$(VENV) sh .ci/demo-dft

# On other systems install ABINIT 9.6 or later and give its command in the settings.
abinit: ## install the DFT program ABINIT and its pseudopotentials (Debian, as root or with sudo)
	sh .ci/abinit

# The kernels are compiled once, before the workers start; otherwise each worker compiles them.
test: $(VENV)/.installed-dev ## run the test suite (minutes)
	$(BIN)/soso warmup
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/.installed-dev ## run the tests that take minutes each
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

test-long: $(VENV)/.installed-dev ## run the tests that take tens of minutes or need a DFT program (make gpaw, make abinit)
	$(BIN)/python -m pytest -m long --timeout 0 -n 2 --dist worksteal

# Coverage sees the lines of a kernel only without compilation, which the vector kernels do not support.
coverage: $(VENV)/.installed-dev ## measure which lines of the kernels and descriptors the tests execute
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest -q tests/core/kernels -k 'not new_channel' \
		--ignore tests/core/kernels/test_simd.py --ignore tests/core/kernels/test_cache.py
	$(BIN)/coverage report

lint: $(VENV)/.installed-dev ## check style, spelling, types and import directions
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

hooks: $(VENV)/.installed-dev ## install the pre-commit hooks in this clone
	$(BIN)/pre-commit install

format: $(VENV)/.installed-dev ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-accuracy: $(VENV)/.installed ## measure errors on published data: benchmarks/results/accuracy.json
	$(BIN)/python benchmarks/accuracy.py

bench-limits: $(VENV)/.installed ## separate the causes of the error on the paramagnet: benchmarks/results/limits.json
	$(BIN)/python benchmarks/limits.py

bench-speed: $(VENV)/.installed-bench ## measure the time per atom beside peers: benchmarks/results/speed.json
	RAYON_NUM_THREADS=1 $(BIN)/python benchmarks/speed.py

bench-fit: $(VENV)/.installed ## measure time and memory of a fit to 1000 labels: benchmarks/results/fitting.json
	SOSO_NUM_THREADS=2 $(BIN)/python benchmarks/fitting.py

bench-monte-carlo: $(VENV)/.installed ## measure a million single-spin updates: benchmarks/results/monte_carlo.json
	$(BIN)/python benchmarks/monte_carlo.py

# The pool takes ten minutes and the study half an hour; both resume after an interruption.
bench-study: $(VENV)/.installed ## measure label savings of active learning on the mixed pool: benchmarks/results/study
	$(BIN)/python benchmarks/study_pools.py mixed
	$(BIN)/soso study benchmarks/data/mixed_pool.extxyz -o benchmarks/results/study \
		--settings benchmarks/study.yaml --group-by group

# The pools take five minutes, the runs twenty; runs resume after an interruption.
bench-policy: $(VENV)/.installed ## measure selection and stopping on two pools: the table of docs/topics/active_learning.md
	$(BIN)/python benchmarks/study_pools.py tetragonal alloy
	$(BIN)/python benchmarks/policy.py

docs: $(VENV)/.installed-docs ## build the documentation: docs/_build/index.html
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build

wheel: $(VENV)/.installed-dev ## build the wheel and the source archive: dist/
	$(BIN)/python -m build --outdir dist .

clean: ## remove all files that the targets made, including the database of the demo
	rm -rf $(VENV) .demo .demo-dft build dist docs/_build *.egg-info
