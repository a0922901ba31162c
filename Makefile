# `make train` and `make test` install what they need into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup setup-browser train test test-slow test-gpu check docs bench bench-scale clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,docs,onnx]"
	touch $(STAMP)

# Chromium for the tests of the web demo, which are skipped without it.
setup-browser:
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then echo "setup-browser: already installed"; \
	elif ! command -v apt-get >/dev/null; then \
		echo "setup-browser: apt-get not found; install Chromium yourself, as 'chromium' on the PATH" >&2; exit 2; \
	elif [ "$$(id -u)" != 0 ]; then \
		echo "setup-browser: needs root; run 'sudo apt-get install --no-install-recommends chromium'" >&2; exit 2; \
	else apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; fi

train: setup
	$(BIN)/audiosurvey train toy

# A process for each processor, with one thread each.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 8 --dist loadfile -m "not slow and not gpu"

test-slow: setup
	$(BIN)/pytest -m "slow and not gpu"

test-gpu: setup
	$(BIN)/pytest -m gpu

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# Files that are generated from the source, then the documentation as a site: site/index.html.
docs: setup
	$(BIN)/python -m audiosurvey.config.manual.manual
	$(BIN)/python -m audiosurvey.config.manual.schema
	$(BIN)/python docs/tree.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Speed compared with other packages, each also beside a busy process: about half an hour.
# In an environment of its own, since some of these packages need other versions than training had.
bench:
	test -x $(VENV)-bench/bin/python || $(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[onnx,bench]"
	$(VENV)-bench/bin/python benchmarks/performance --busy --write docs/performance.md

# How cost grows with the number of clips, the batch size and the number of folds; prints tables.
bench-scale: setup
	$(BIN)/python benchmarks/scale.py clips=400,4000,40000
	$(BIN)/python benchmarks/scale.py batch=8,32,128 --clips 2000 --step train
	$(BIN)/python benchmarks/scale.py folds=2,4,8 --clips 400 --step train

clean:
	rm -rf $(VENV) $(VENV)-bench runs build dist site .pytest_cache .ruff_cache .hypothesis
