# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test again lint assets parts words tour everybody bench campaign lock clean

demo: $(VENV)/.runtime assets
	$(BIN)/python -m examples.town $(ARGS)

# Whole files side by side, the longest first: see tests/conftest.py.
test: lint parts
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

# After a run in which three tests or fewer failed: their files once more, alone. See docs/decisions/0015-unsteady.md.
again: lint
	$(BIN)/python -m tests.again

lint: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Styles, font and QR reader of the faces, from npm; without them the pages keep their plain look.
assets: $(VENV)/.runtime
	@command -v npm >/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/assets.txt || true
	@$(BIN)/python -m service.ui.npm

# What pip cannot install, where we may: PostgreSQL, etcd and Go from Debian; Patroni in an environment of its own.
parts: $(VENV)/.test
	@$(BIN)/python -m tests.parts

# New messages of the faces into their Dutch catalogues; says what has no Dutch yet.
words: $(VENV)/.test
	$(BIN)/python -m tests.faces.catalogue $(ARGS)

# Pictures of every page for docs/tour.md, taken while the tests look at it.
tour: $(VENV)/.test assets parts
	REGIE_TOUR=1 $(BIN)/python -m pytest tests/faces/test_pages.py -k whole_and_accessible -p no:randomly

# RvIG's 715 test persons if they are beside the checkout, else our own: issued, granted, read, compared.
everybody: $(VENV)/.runtime
	$(BIN)/python -m examples.everybody $(ARGS)

bench: $(VENV)/.test
	$(BIN)/python -m bench $(ARGS)

campaign: $(VENV)/.test parts
	$(BIN)/python -m tests.campaign $(ARGS)

# Every package is pinned with its hashes; `make lock` renews the pins.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Regie needs Python 3.11 or later (set PYTHON=...)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: $(VENV)/bin/python requirements/runtime.txt setup.cfg pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt requirements/peers.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --ignore-requires-python --require-hashes -r requirements/peers.txt
	@touch $@

LOCK := $(BIN)/pip-compile -q --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header
lock: $(VENV)/.test
	$(BIN)/python -m pip install -q pip-tools
	$(LOCK) -o requirements/runtime.txt setup.cfg requirements/build.in
	$(LOCK) --extra test --extra bench -c requirements/runtime.txt -o requirements/test.txt setup.cfg requirements/build.in
	$(LOCK) -c requirements/test.txt -o requirements/assets.txt requirements/assets.in
	$(LOCK) -o requirements/ha.txt requirements/ha.in
	$(BIN)/python -m pip install -q --dry-run --ignore-installed --no-deps --ignore-requires-python --report - -r requirements/peers.in | $(BIN)/python -m tests.interop.pins > requirements/peers.txt

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
