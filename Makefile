# The project's habits. Everything installs into .venv, so nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test fuzz check package format docs bench clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: $(VENV)/.installed  ## install the project and what it needs into .venv

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "frcnn needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	@touch $@

demo: install  ## proposals, train, eval and detect on a small generated data set
	$(BIN)/frcnn demo

# Three test processes share two cores, as many a test waits for what it started; so a thread pool
# that waits must not spin, and one thread per process is quicker than two. A file's tests run in one
# process, which keeps its fixtures.
TEST_PROCESSES ?= 3
PYTEST := $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
export OMP_WAIT_POLICY ?= PASSIVE

test: export OMP_NUM_THREADS ?= 1
test: install  ## run the tests, the fast ones first
	$(PYTEST) -m 'not slow'
	$(PYTEST) -m slow

# 58 times FUZZ_SECONDS at most for the damaged files, then FUZZ_COVERAGE seconds: about 14 minutes.
FUZZ_EXAMPLES ?= 2000
FUZZ_SECONDS ?= 10
FUZZ_COVERAGE ?= 240
fuzz: install  ## damaged files for every reader, then byte by byte with atheris where it installs
	FRCNN_FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) FRCNN_FUZZ_SECONDS=$(FUZZ_SECONDS) \
		$(BIN)/python -m pytest -q tests/fuzz
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python tests/fuzz/by_coverage.py $(FUZZ_COVERAGE)

check: install  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	test ! -x $(BIN)/hadolint || $(BIN)/hadolint Containerfile Containerfile.cuda

package: install  ## build sdist and wheel into dist/, install the wheel elsewhere and detect with it
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	.ci/try-wheel $(BIN)/python

format: install  ## rewrite the sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: install  ## train, bundle and score the bundled detector: make bench DATA=voc07
	$(BIN)/python benchmarks/voc07.py $(DATA)

clean:  ## remove what was built
	rm -rf $(VENV) build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
