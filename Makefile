# The two commands are `make demo` and `make test`. They need Python >= 3.11, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test long clean python

demo: python ## three strategies through three key changes, side by side: a table and report.html
	@$(PYTHON) tools/install $(VENV)
	@$(BIN)/keystorm demo --report report.html

test: python ## everything CI runs
	@$(PYTHON) tools/install --dev $(VENV)
	@$(BIN)/python tools/check

long: python ## the tests that take minutes each
	@$(PYTHON) tools/install --dev $(VENV)
	@$(BIN)/python -m pytest -m long

clean: ## all that the other targets made
	rm -rf $(VENV) build dist report.html tests/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find player tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@command -v $(PYTHON) >/dev/null || { echo "keystorm: no '$(PYTHON)' here: Python 3.11 or newer is needed (make PYTHON=/path/to/python3)" >&2; exit 2; }
