# One word for each thing that people and CI do. Nothing needs to be installed by hand before.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
# The address that QR codes lead to: with HOST=0.0.0.0 this machine's own in the local network,
# so that phones can reach it.
BASE_URL ?= http://$(if $(filter 0.0.0.0,$(HOST)),$(firstword $(shell hostname -I)),$(HOST)):$(PORT)
FLASK := MINPING_MODE=demo MINPING_BASE_URL=$(BASE_URL) $(BIN)/flask --app wsgi

.PHONY: run test check bench reliability screenshots requirements format

run: $(VENV)/.run
	@$(FLASK) db upgrade
	@$(FLASK) demo load
	@$(FLASK) serve --host $(HOST) --port $(PORT)

test: $(VENV)/.dev
	$(BIN)/pytest -n auto --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive app analysis surveys wsgi.py
	$(BIN)/python .ci/audit $(BIN)/pip-audit requirements.txt
	$(BIN)/pytest tests/checks

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.scoring
	$(BIN)/python -m benchmarks.printing

reliability: $(VENV)/.dev
	$(BIN)/python -m benchmarks.reliability

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.browser.screenshots

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

requirements: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-emit-index-url -o requirements.txt requirements.in
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-emit-index-url -c requirements.txt -o requirements-dev.txt requirements-dev.in

# What `make run` needs, and what testing needs; each again only when its pins change.
$(VENV)/.run: requirements.txt app/translations/en/LC_MESSAGES/messages.po | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pybabel --quiet compile --use-fuzzy -d app/translations
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	.ci/venv $(PYTHON) $(VENV)
