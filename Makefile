# Everything a newcomer needs; `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := $(foreach peer,lancedb feast pixeltable,.venv-bench-$(peer)/.installed)

.PHONY: help demo test test-real check golden docs bench-store bench-training bench-serving bench-memory faults audit format clean

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
		|| { echo "kallos needs Python 3.11 or 3.12: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## install, then the main job from end to end on drawn portraits
	$(BIN)/kallos demo demo

test: $(INSTALLED)  ## install, then run the tests, two files at a time: no network, no GPU, no data set
	$(BIN)/pytest -n 2 --dist loadfile

test-real: $(INSTALLED)  ## tests on SCUT-FBP5500; KALLOS_SHARED names the folder with data/ and weights/
	$(BIN)/pytest -m real

check: $(INSTALLED)  ## style, types and the walls between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

golden: $(INSTALLED)  ## rebuild the golden values of features that are new or whose version was raised
	$(BIN)/python -m tests.golden.rebuild

docs: $(INSTALLED)  ## rebuild the pages on features, commands and licences
	$(BIN)/python -m reports.features_page docs/features.md
	$(BIN)/python -m reports.licences_page docs/licences.md
	$(BIN)/typer kallos.cli utils docs --name kallos --title "Every command" --output docs/commands.md

# Peers have pins of their own, so each lives in an environment of its own. One that cannot be installed
# is reported in the table and does not stop the others.
.venv-bench-%/.installed: benchmarks/store/requirements-%.txt
	$(PYTHON) -m venv .venv-bench-$*
	.venv-bench-$*/bin/pip install --quiet --requirement $< && touch $@ || rm -rf .venv-bench-$*

bench-store: $(INSTALLED) $(PEERS)  ## the store beside Feast, LanceDB, Pixeltable, DuckDB and Parquet; some 10 minutes
	$(BIN)/python -m benchmarks.store.run --docs docs/benchmarks.md

bench-training: $(INSTALLED)  ## Model A's training beside a bare loop; WEIGHTS=file of MobileNetV2, or none
	$(BIN)/python -m benchmarks.training --weights $(or $(WEIGHTS),none)

bench-serving: demo  ## the page and its API, from the typed command to the answer, on the demo's bundle
	$(BIN)/python -m benchmarks.serving

bench-memory: $(INSTALLED)  ## peak memory of each process, 1,000 and 20,000 photos; some 20 minutes, 2 GB of disk
	$(BIN)/python -m benchmarks.memory

faults: $(INSTALLED)  ## commands killed, stopped with Ctrl-C and out of room; an hour, the last part by who may mount
	$(BIN)/python -m benchmarks.faults

audit:  ## the pinned dependencies against published vulnerabilities; needs a registry that knows them
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

format: $(INSTALLED)  ## bring the code into style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and what the demo made
	rm -rf $(VENV) .venv-bench-* .venv-audit demo
