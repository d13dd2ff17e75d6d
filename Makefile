# Two commands: `make train` and `make test`. `make` alone lists all.
# On Linux pip takes the CUDA build of PyTorch (8 GB in all); with PIP_EXTRA_INDEX_URL set to PyTorch's index of CPU wheels it takes the CPU build (2 GB).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python,$(shell $(p) -c 'import sys; print("$(p)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NEEDED_MB := 4000

# what `make train` passes on, where it is set
STUDY_FLAGS = $(if $(DOWNSAMPLE),--downsample $(DOWNSAMPLE)) $(if $(ARCH),--arch $(ARCH)) $(if $(IMAGE_SIZE),--image-size $(IMAGE_SIZE)) \
  $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SOURCE),--source $(SOURCE)) $(if $(JOBS),--jobs $(JOBS))

.PHONY: help setup train test lab evidence doctor hooks oracles readme outputs docs clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'
	@echo '  Variables of make train: STUDY=quick DOWNSAMPLE="maxpool strided" IMAGE_SIZE=128 EPOCHS=5 SEEDS=3 SOURCE=phantom JOBS=2'

setup: $(READY) ## create .venv and install, once

# The folder's name may hold any character, so the shell compares it and make never writes it into a command.
ifneq ($(shell [ "$$(cat $(READY) 2>/dev/null)" = "$$PWD" ] && echo here),here)
.PHONY: $(READY)
endif
$(READY): export PYTHON := $(PYTHON)
$(READY): export VENV := $(VENV)
$(READY): export NEEDED_MB := $(NEEDED_MB)
$(READY): constraints.txt settings.ini setup.py
	@bash .ci/setup

train: setup ## train every variant, benchmark, compare
	@$(BIN)/downscalexr study run $(STUDY) $(STUDY_FLAGS)
	@$(BIN)/downscalexr report

test: setup ## all checks, as CI runs them
	@$(BIN)/python .ci/checks.py

lab: export IPYTHONDIR := $(abspath $(VENV)/ipython)
lab: setup ## JupyterLab on this machine alone; cells that take long are skipped
	@mkdir -p $(VENV)/ipython/profile_default/startup
	@cp .ci/skip_slow.py $(VENV)/ipython/profile_default/startup/
	@$(BIN)/jupyter lab --ServerApp.ip=127.0.0.1 nbs

evidence: setup ## count the committed runs; compute every table of the evidence again and compare
	@$(BIN)/downscalexr evidence status
	@$(BIN)/downscalexr evidence recompute

doctor: setup ## say what is missing on this machine
	@$(BIN)/downscalexr doctor

hooks: setup ## let git clean, export and lint before each commit
	@install -m 755 .ci/pre-commit "$$(git rev-parse --git-path hooks)/pre-commit"

oracles: setup ## install other people's operators, for slow cells only
	@$(BIN)/python -m pip install --quiet --no-deps antialiased-cnns==0.3 kornia==0.9.0 kornia_rs timm==1.0.31

readme: setup ## write README.md from nbs/index.ipynb
	@$(BIN)/python .ci/readme.py

outputs: setup ## run notebooks and store their outputs: make outputs NOTEBOOKS="01_data 05_analysis" (slow cells: "--slow …")
	@$(BIN)/python .ci/outputs.py $(NOTEBOOKS)

docs: setup ## render the site to _docs (needs Quarto)
	@command -v quarto >/dev/null || { echo 'make docs: quarto is not installed; see quarto.org.'; exit 1; }
	@$(BIN)/python .ci/readme.py # newer than index.ipynb, so nbdev_docs keeps it
	@$(BIN)/python .ci/about.py # pages from CHANGELOG.md and the like, and llms.txt
	@PATH="$$PWD/$(BIN):$$PATH" nbdev_docs

clean: ## remove .venv and build leftovers; runs and data stay
	rm -rf $(VENV) build dist _docs _proc *.egg-info
