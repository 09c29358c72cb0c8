# karat: `make run` gives a verdict and a report, `make test` checks the code. Both work alone on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := nets,portfolio,lake,dev
STUDY ?= studies/quickstart.yaml
# arguments of `make bench`; e.g. FEATURES= for the whole of it, which takes minutes
MARKET ?= --repeat 3
FEATURES ?= --repeat 3 --jobs indicators alpha158 online store
REGIMES ?= --quick

.PHONY: setup run test test-all check bench docs verify data features report clean hooks coverage hpo

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "karat needs Python 3.11 to 3.13; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

run: setup
	$(BIN)/karat run $(STUDY)

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'not soak and not browser and not gpu and not peers'

check: setup
	$(BIN)/python tools/ci_compile.py --quiet
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/requirements_doc.py --check
	$(BIN)/python tools/features_doc.py --check
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/house

coverage: setup
	$(BIN)/python tools/coverage_gate.py

bench: setup
	$(BIN)/python benchmarks/ledger.py --json
	$(BIN)/python benchmarks/market.py --json $(MARKET)
	$(BIN)/python benchmarks/features.py --json $(FEATURES)
	$(BIN)/python benchmarks/regimes.py --json $(REGIMES)

docs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt zensical
	$(BIN)/zensical build --clean

verify: setup
	$(BIN)/karat doctor
	$(BIN)/karat verify

data: setup
	$(BIN)/karat data list

features: setup
	$(BIN)/karat features build $(STUDY)

report: setup
	$(BIN)/karat report latest

hooks:
	git config core.hooksPath tools/hooks

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* workspace
