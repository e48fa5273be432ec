# The two commands of a new machine are `make demo` and `make test`; `make help` lists the rest.
# Needs Python 3.11 with venv and make; npm, where it is there, fetches the full viewer.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3 2>/dev/null) python3)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
EDITABLE := -qq --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help install install-dev peers demo test test-long bench check lock build clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMPS)/run $(STAMPS)/console $(STAMPS)/viewer ## Install isocenter with its locked packages and the viewer into .venv

install-dev: $(STAMPS)/dev $(STAMPS)/console $(STAMPS)/viewer ## Install the tools of development as well

peers: ## Install the programs of others that the tests talk to (Debian, root)
	@scripts/install_peers.sh

demo: install ## Start a whole hospital and print its addresses
	$(BIN)/isocenter demo

test: install-dev peers ## Check the code and run every test but the long ones
	@./check static || failed=1; \
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile || exit 1; \
	if [ -n "$$failed" ]; then echo "make test: the tests passed, ./check static did not (see above)"; exit 1; fi

test-long: install-dev peers ## Run the tests that take minutes: hundreds of kills, power cuts, full disks
	$(BIN)/python -m pytest -m "long or root" --timeout 3600

bench: install-dev peers ## Measure speed beside Orthanc and the machine's own limits
	$(BIN)/python -m bench

check: install-dev ## Do what a change must pass (./check; see ./check --help)
	@./check

lock: install-dev ## Write requirements/*.lock anew from pyproject.toml
	@scripts/lock.sh

build: install-dev ## Build the wheel, viewer included, into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove .venv and everything that was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp is as new as the last successful installation, so that the second time takes no time.
$(STAMPS)/run: requirements/run.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@mkdir -p $(STAMPS)
	$(PIP) install -qq --require-hashes --only-binary :all: -r requirements/build.lock
	$(PIP) install -qq --require-hashes --only-binary :all: -r requirements/run.lock
	$(PIP) install $(EDITABLE)
	@touch $@

$(STAMPS)/dev: requirements/dev.lock $(STAMPS)/run
	$(PIP) install -qq --require-hashes --only-binary :all: -r requirements/dev.lock
	@touch $@

# Without npm or without a network the console works in plain dress.
$(STAMPS)/console: vendor.lock scripts/vendor_console.py scripts/vendor_viewer.py $(STAMPS)/run
	@if $(BIN)/python -m scripts.vendor_console; then touch $@; \
	else echo "install: went on without the console's dress; 'make install' tries again"; fi

# Without npm or without a network there is no full viewer; the archive, the study list and the API work all the same.
$(STAMPS)/viewer: vendor.lock scripts/vendor_viewer.py scripts/viewer_notices.txt $(STAMPS)/run
	@if $(BIN)/python scripts/vendor_viewer.py; then touch $@; \
	else echo "install: went on without the full viewer; 'make install' tries again"; fi
