# Bauta: two commands matter. `make run` runs the embedded scenario; `make test` runs everything.
# Both create .venv themselves. Needs Python 3.11, make, a C++ compiler and a package index.
#
#   make run       bauta run scenarios/embedded.yaml
#   make test      check, then the fast, Ray and slow tests
#   make check     ruff check, ruff format --check, mypy --strict, lint-imports, repository sizes
#   make fast      tests without Ray, the ones to run all the time
#   make format    let ruff rewrite what it can
#   make clean     remove the environment and every cache (never runs/)
#
# Settings: PYTHON (interpreter), SCENARIO (for run), TORCH_INDEX (an index with the CPU build of
# torch, for instance https://download.pytorch.org/whl/cpu), BAUTA_DATA (faces and networks).

PYTHON ?= python3.11
SCENARIO ?= scenarios/embedded.yaml
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

EVERY_CORE := --numprocesses logical
# Slow tests are no reason to print stacks after two minutes; tests/conftest.py gives them fifteen.
PATIENT := --durations 10 -o faulthandler_timeout=600

MAX_MODULE_LINES := 400
MAX_FILE_KIB := 2048

export RAY_USAGE_STATS_ENABLED := 0
export RAY_ENABLE_UV_RUN_RUNTIME_ENV := 0
export PIP_NO_INPUT := 1

.DELETE_ON_ERROR:
.PHONY: run test check lint types layers sizes fast ray slow format install clean

run: $(STAMP)
	$(BIN)/bauta run $(SCENARIO)

test: check fast ray slow

check: lint types layers sizes

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

# Long modules and big files are refused rather than discussed.
sizes:
	@git ls-files -z '*.py' | xargs -0 wc -l | awk -v most=$(MAX_MODULE_LINES) \
	  '$$2 != "total" && $$1 > most {print $$2 ": " $$1 " lines, at most " most; bad = 1} END {exit bad}'
	@git ls-files -z | xargs -0 du -k | awk -v most=$(MAX_FILE_KIB) \
	  '$$1 > most {print $$2 ": " $$1 " KiB, at most " most; bad = 1} END {exit bad}'

# Tests that start a Ray cluster share it, one after the other; all others use every core.
fast: $(STAMP)
	$(BIN)/pytest $(EVERY_CORE) -m "not ray and not slow"

ray: $(STAMP)
	$(BIN)/pytest -m "ray and not slow"

slow: $(STAMP)
	$(BIN)/pytest $(EVERY_CORE) $(PATIENT) -m "slow and not ray"
	$(BIN)/pytest $(PATIENT) -m "slow and ray"

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMP)

# torch comes first and alone, so that nothing else can choose its build. CrypTen's own
# requirements cannot be installed (docs/decisions/0006), so it comes without them.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a few minutes the first time)"
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(PIP) --editable '.[bench,crypten,dev]'
	$(PIP) --no-deps crypten==0.4.1
	touch $@

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
