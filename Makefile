# make lab    JupyterLab with the workbench          make test   everything that CI checks
# Parts of `make test`: lint unit kill notebooks browser.  Others: gpu mutants bench docs constraints
# guard clean.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := lab

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
UV_PIP := $(BIN)/python -m uv pip
PYTEST := $(BIN)/python -m pytest
LAB_FLAGS ?=
# Unit tests in this many processes; 0 runs them in the calling one.
WORKERS ?= 2

# uv reads its own variable only.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

# Published tables and data sets that some tests check against; without them those tests skip and say so.
ifneq ($(wildcard ../shared/data/.),)
export NBNAS_DATA ?= $(abspath ../shared/data)
endif

.PHONY: lab test lint unit kill notebooks browser gpu mutants bench docs constraints guard clean

lab: $(VENV)/.lab
	$(BIN)/jupyter lab $(LAB_FLAGS) notebooks/00_workbench.ipynb

# One recipe, so that the order holds with `make -j` too.
test: $(VENV)/.dev
	for part in lint unit kill notebooks browser; do echo "== $$part"; $(MAKE) --no-print-directory $$part; done

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/.dev
	$(PYTEST) -n $(WORKERS)

kill: $(VENV)/.dev
	$(PYTEST) -m kill

# Kernels run in their own processes: what they write goes to a folder that is removed again.
notebooks: $(VENV)/.dev
	home=$$(mktemp -d); trap 'rm -rf "$$home"' EXIT; \
	NBNAS_HOME="$$home" NBNAS_PROFILE="$${NBNAS_PROFILE:-ci}" OMP_NUM_THREADS=1 \
	$(PYTEST) --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --timeout=0 notebooks

browser: $(VENV)/.dev
	$(PYTEST) -m browser

gpu: $(VENV)/.dev
	$(PYTEST) -m gpu -rs

# Deliberately broken variants of the code, of which the named tests must see every one.
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutants.run

bench:
	@echo "Benchmarks, run with: $(BIN)/python benchmarks/NAME.py"
	@found=$$(find benchmarks -name '[!_]*.py' 2>/dev/null | sort); echo "$${found:-(none)}"

# Pages of strategies, from the code and docs/strategies/sources.
docs: $(VENV)/.lab
	$(BIN)/python docs/make_strategies.py

# --- installing -------------------------------------------------------------------------------------------------------

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "nbnas needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv

# The stamps make a second call quick. `dev` holds all that `lab` needs.
$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/uv
	$(UV_PIP) install --python $(BIN)/python -c constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/uv
	$(UV_PIP) install --python $(BIN)/python -c constraints.txt -e '.[dev]'
	touch $(VENV)/.lab $@

# --- versions ---------------------------------------------------------------------------------------------------------

# Resolves for every platform, from the public index alone.
constraints: | $(BIN)/uv
	scratch=$$(mktemp); trap 'rm -f "$$scratch"' EXIT; \
	{ echo "# Made by \`make constraints\` from pyproject.toml and pins.in; not edited by hand."; \
	  env -u UV_FIND_LINKS $(UV_PIP) compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    -c pins.in --no-header --no-annotate --quiet; } > "$$scratch"; \
	cp "$$scratch" constraints.txt

# A fresh environment must not pull in the CUDA build of torch (several GB) where a CPU build is offered.
guard: | $(BIN)/uv
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(BIN)/python -m uv venv --quiet --python $(BIN)/python "$$scratch/venv"; \
	$(UV_PIP) install --dry-run --python "$$scratch/venv/bin/python" -c constraints.txt -e '.[dev]' > "$$scratch/plan" 2>&1 \
	  || { cat "$$scratch/plan" >&2; exit 1; }; \
	grep -q '^ *+ torch==' "$$scratch/plan" || { echo "guard: torch is missing from the plan, so it shows nothing" >&2; cat "$$scratch/plan" >&2; exit 1; }; \
	if grep -i 'nvidia' "$$scratch/plan"; then \
	  echo "guard: these would be installed. Offer a CPU build of torch: UV_TORCH_BACKEND=cpu, or PIP_FIND_LINKS" >&2; exit 1; fi; \
	echo "guard: $$(grep -c '^ *+ ' "$$scratch/plan") packages, none of them nvidia"

clean:
	rm -rf $(VENV) artifacts build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
