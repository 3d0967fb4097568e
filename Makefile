# Everything a newcomer needs; `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCKED := uv pip compile pyproject.toml --quiet --universal --python-version 3.11.2 --generate-hashes --no-emit-index-url $(UPGRADE)
# Every process would compile each module anew where the environment says so, and pip compiles none.
unexport PYTHONDONTWRITEBYTECODE
PEERS := $(foreach peer,lancedb feast pixeltable,.venv-bench-$(peer)/.installed)

.PHONY: help browser demo test test-bare test-long test-real check golden docs site bench bench-computing bench-demo bench-browser bench-graphs bench-intervals bench-landmarks bench-novelty bench-one-rater bench-predict bench-first bench-store bench-training bench-serving bench-growth bench-ledger bench-memory slim lock faults hostile fuzz audit format clean

help:  ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# Every package as it was tested, by the hashes of its files; then kallos itself. Not compiled here: that takes nearly
# two minutes, and most modules are never imported.
$(INSTALLED): pyproject.toml locks/dev.txt
	@$(PYTHON) -I kallos/cli/system_libraries.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement locks/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)  ## install, then the main job from end to end on drawn portraits
	$(BIN)/kallos demo demo

test: $(INSTALLED)  ## install, then run the tests, three files at a time: no network, no GPU, no data set
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-bare:  ## both commands of the README on a bare Debian that it makes, as root; BARE=demo for one
	.ci/bare $(or $(BARE),demo test)

test-long: $(INSTALLED)  ## what `make test` tries by a few cases, by all of them
	$(BIN)/pytest -n 2 -m long

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
	$(BIN)/python -m kallos.docs_pages.features docs/features.md
	$(BIN)/python -m kallos.docs_pages.licences docs/licences.md
	$(BIN)/typer kallos.cli.app utils docs --name kallos --title "Every command" --output docs/commands.md

browser:  ## build the page of `kallos export --browser` into kallos/browser/built; needs Node.js and npm
	npm ci --prefix kallos/browser --ignore-scripts --no-audit --no-fund
	npm run build --prefix kallos/browser

site: $(INSTALLED)  ## build the documents as a site with search in site/: nothing is fetched
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Read it with: $(BIN)/python -m http.server --directory site --bind 127.0.0.1"

# Peers have pins of their own, so each lives in an environment of its own. One that cannot be installed
# is reported in the table and does not stop the others.
.venv-bench-%/.installed: benchmarks/store/requirements-%.txt
	$(PYTHON) -m venv .venv-bench-$*
	.venv-bench-$*/bin/pip install --quiet --requirement $< && touch $@ || rm -rf .venv-bench-$*

bench-store: $(INSTALLED) $(PEERS)  ## the store beside Feast, LanceDB, Pixeltable, DuckDB and Parquet; some 10 minutes
	$(BIN)/python -m benchmarks.store.run --docs docs/lab/benchmarks.md

bench-training: $(INSTALLED)  ## Model A's training beside a bare loop; WEIGHTS=file of MobileNetV2, or none
	$(BIN)/python -m benchmarks.training --weights $(or $(WEIGHTS),none)

bench-computing: $(INSTALLED)  ## what training's trial of precision, layout and threads takes, beside every setting
	$(BIN)/python -m benchmarks.computing

bench: $(INSTALLED)  ## extraction beside its floor and a notebook's loop; PHOTOS=folder, or 500 drawn portraits
	@test -n "$(PHOTOS)" || $(BIN)/kallos ingest demo bench-portraits --count 500 --store bench-portraits/kallos.duckdb
	$(BIN)/python -m benchmarks.extraction $(or $(PHOTOS),bench-portraits/images)

bench-graphs: demo  ## ONNX graphs beside torch, speed and parity, on the demo's portraits
	$(BIN)/python -m benchmarks.graphs --store demo/kallos.duckdb

bench-landmarks: $(INSTALLED)  ## faces found on drawn portraits that are turned, tilted, or small in a large photo
	$(BIN)/python -m benchmarks.landmarks

bench-intervals: $(INSTALLED)  ## coverage and width of intervals, by score and subset; STORE=file with a trained scut-5fold
	$(BIN)/python -m benchmarks.intervals --store $(STORE)

bench-novelty: $(INSTALLED)  ## how often photos of a trained store, as they are and changed, are warned of; STORE=file
	$(BIN)/python -m benchmarks.novelty --store $(STORE)

bench-one-rater: $(INSTALLED)  ## a model of each single rater, by the number of ratings; STORE=file with a trained scut-5fold
	$(BIN)/python -m benchmarks.one_rater --store $(STORE)

bench-predict: demo  ## one photo through a loaded bundle beside its kernels, and the command from cold
	$(BIN)/python -m benchmarks.prediction --bundle demo/bundle --photos demo/portraits/images

bench-demo: $(INSTALLED)  ## the demo's seconds, step by step, and how right its bars' time left is
	$(BIN)/python -m benchmarks.time_left

bench-first: demo  ## how long a terminal stays empty after a command was typed
	$(BIN)/python -m benchmarks.first_words

bench-browser: demo browser  ## the page in Chromium beside `kallos score`: parity, seconds, size; BUNDLE=, PHOTOS=
	$(BIN)/python -m benchmarks.browser --bundle $(or $(BUNDLE),demo/bundle) \
		--photos $(or $(PHOTOS),demo/portraits/images)

bench-serving: demo  ## the page and its API, from the typed command to the answer, on the demo's bundle
	$(BIN)/python -m benchmarks.serving

slim: demo  ## an environment without torch that predicts from the demo's bundle, and its size
	$(PYTHON) -m venv .venv-slim
	.venv-slim/bin/pip install --quiet --no-compile --require-hashes --requirement locks/predict.txt
	.venv-slim/bin/pip install --quiet --no-deps .
	.venv-slim/bin/kallos score demo/portraits/images/P0001.jpg --bundle demo/bundle
	du -sh .venv-slim

bench-growth: $(INSTALLED)  ## the store's work at 5,500, 50,000 and 500,000 images; 10 GB of disk, 20 GB of memory
	$(BIN)/python -m benchmarks.growth

bench-ledger: $(INSTALLED)  ## the one writer of a cluster before a ledger of ten million lines
	$(BIN)/python -m benchmarks.ledger

bench-memory: $(INSTALLED)  ## peak memory of each process, 1,000 and 20,000 photos; some 20 minutes, 2 GB of disk
	$(BIN)/python -m benchmarks.memory

faults: $(INSTALLED)  ## commands killed, stopped with Ctrl-C and out of room; an hour, the last part by who may mount
	$(BIN)/python -m benchmarks.faults

hostile: demo  ## bombs, a million rows, full disks, typed as commands with limits of time and memory; some 10 minutes
	$(BIN)/python -m benchmarks.hostile

# The fuzzer lives in an environment of its own and borrows the packages of the other.
.venv-fuzz/.installed: benchmarks/requirements-fuzz.txt
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/pip install --quiet --requirement $<
	@touch $@

fuzz: demo .venv-fuzz/.installed  ## decoder, csv reader and bundle loader under a coverage-guided fuzzer; SECONDS=600 for each
	PYTHONPATH=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') OMP_NUM_THREADS=1 \
		.venv-fuzz/bin/python -W ignore -m benchmarks.fuzz --seconds $(or $(SECONDS),600) \
		--bundle demo/bundle --portrait demo/portraits/images/P0001.jpg

# uv keeps the versions that a lock has; UPGRADE=--upgrade takes the newest, UPGRADE='--upgrade-package NAME' one.
lock:  ## write locks/ anew after a change of pyproject.toml: exact versions for every Python and system, with hashes
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/$(LOCKED) --extra dev --output-file locks/dev.txt
	.venv-lock/bin/$(LOCKED) --constraint locks/dev.txt --output-file locks/predict.txt

audit:  ## the pinned dependencies against published vulnerabilities; needs a registry that knows them
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement locks/dev.txt

format: $(INSTALLED)  ## bring the code into style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment, the site and what the demo made
	rm -rf $(VENV) .venv-bench-* .venv-slim .venv-fuzz .venv-audit .venv-lock demo bench-portraits finds site
