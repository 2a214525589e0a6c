# The two commands that matter: `make demo` and `make test`. Each does all its own set-up.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help sandbox browser postgresql escnn oldest demo test test-slow test-all lint format release student grade secret attacks prove hints calibrate doctor bench speed figures pictures constraints clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): requirements.txt constraints.txt pyproject.toml src/autograder/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the grader needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -r requirements.txt -c constraints.txt
	$(BIN)/pip install --quiet --no-deps -e . -e src/autograder
	@touch $@

# $(call installed,PROGRAMS,PACKAGE,STATUS): where none of the programs is there, install Debian's package if that can be
# done; else say what to type, and end with the status.
define installed
@command -v $(1) >/dev/null || { \
  if ! command -v apt-get >/dev/null; then how=""; \
  elif [ "$$(id -u)" = 0 ]; then how="env"; elif sudo -n true 2>/dev/null; then how="sudo"; else how=""; fi; \
  if [ -z "$$how" ]; then echo "$(2) is missing, and only you can install it: sudo apt-get install $(2)"; exit $(3); fi; \
  echo "installing $(2)"; { $$how apt-get update -qq && $$how apt-get install -y -qq $(2) >/dev/null; } || exit $(3); }
endef

sandbox: ## install bubblewrap, in which submissions run, where that can be done
	$(call installed,bwrap,bubblewrap,1)

browser: ## install Chromium, in which tests look at pages, where that can be done; else they are skipped
	$(call installed,chromium chromium-browser google-chrome,chromium,0)

# Debian's package would set up a server and start it; tests want its programs only.
INITDB = $(wildcard /usr/lib/postgresql/*/bin/initdb)
NO_SERVER := /etc/postgresql-common/createcluster.d/no-server.conf
postgresql: ## install PostgreSQL, of which tests start a server in a folder, where that can be done; else they are skipped
	@how=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); command -v apt-get >/dev/null && [ -z "$(INITDB)" ] && $$how true 2>/dev/null && { \
	  $$how mkdir -p $(dir $(NO_SERVER)) && echo "create_main_cluster = false" | $$how tee $(NO_SERVER) >/dev/null; } || true
	$(call installed,initdb $(INITDB),postgresql,0)
	@how=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); [ ! -e $(NO_SERVER) ] || $$how rm $(NO_SERVER)

ESCNN := build/escnn
$(ESCNN)/.ready: tests/escnn/requirements.txt | $(READY)
	rm -rf $(ESCNN) && $(BIN)/python -m venv $(ESCNN)
	$(ESCNN)/bin/pip install --quiet -r tests/escnn/requirements.txt
	$(ESCNN)/bin/pip install --quiet --no-deps escnn==1.0.11
	@# The last place in which its Python looks for a package, here PyTorch, is the grader's environment.
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > $$(echo $(ESCNN)/lib/python3*/site-packages)/grader.pth
	$(ESCNN)/bin/python -W ignore -c 'import escnn.nn' && touch $@

escnn: $(READY) ## install escnn, with which the reference is compared, where that can be done; else those tests are skipped
	$(call installed,gfortran,gfortran,0)
	$(call installed,python3-config,python3-dev,0)
	@$(MAKE) --no-print-directory $(ESCNN)/.ready || echo "escnn could not be installed; the tests that compare with it are skipped"

OLDEST := build/oldest
$(OLDEST)/.ready: tests/oldest/requirements.txt | $(READY)
	rm -rf $(OLDEST) && $(BIN)/python -m venv $(OLDEST)
	$(OLDEST)/bin/pip install --quiet -r tests/oldest/requirements.txt
	$(OLDEST)/bin/python -c 'import torch' && touch $@

oldest: $(READY) $(OLDEST)/.ready ## install the oldest supported PyTorch (6 GB), with which a test runs the notebook; else it is skipped

demo: $(READY) sandbox ## build the release, grade the sample submissions, write feedback and grades (about 6 minutes)
	$(BIN)/autograder demo

# A file's tests share what is costly to make: they run in one process, the longest files first (tests/conftest.py).
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(READY) sandbox browser postgresql lint ## lint and the quick tests (10 to 22 minutes on two cores)
	$(PYTEST) -m "not slow"

test-slow: $(READY) sandbox browser ## the tests that train networks and grade whole submissions
	$(PYTEST) -m slow --durations=40 --durations-min=20 $(if $(SECONDS_LEFT),--seconds $(SECONDS_LEFT))

test-all: test test-slow ## every test (under an hour)

lint: $(READY) ## check style and the commonest mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check src tests benchmarks data nbgrader_config.py

format: $(READY) ## put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format src tests benchmarks data nbgrader_config.py

release: $(READY) ## rebuild source/ and release/ from notebooks/, and the gradebook's entry
	$(BIN)/autograder release

student: $(READY) ## put together what students get, in dist/student
	$(BIN)/autograder student

grade: $(READY) sandbox ## grade what lies in submitted/, then write the report and everybody's feedback
	$(BIN)/autograder grade
	$(BIN)/autograder report
	$(BIN)/autograder feedback

secret: $(READY) ## create the course's secret, once, before the first grading
	$(BIN)/autograder secret

attacks: $(READY) sandbox ## grade every hostile sample, and show what stopped it (about 15 minutes)
	$(BIN)/python benchmarks/judge.py --runs 0 --out build/attacks.json

prove: $(READY) sandbox ## judge over 1,700 wrong answers and all different right ones (about ten minutes)
	$(BIN)/python benchmarks/tests.py

hints: $(READY) ## look at all wrong answers anew, for the checks that name the mistake (a quarter of an hour)
	$(BIN)/python benchmarks/hints.py --build

calibrate: $(READY) ## measure how accurate right and wrong networks are, on which the thresholds rest (about an hour)
	$(BIN)/python benchmarks/calibrate.py

doctor: $(READY) sandbox ## say what this machine really enforces
	$(BIN)/autograder doctor

bench: $(READY) sandbox ## measure again what benchmarks/results says (about two hours)
	$(BIN)/python benchmarks/calibrate.py
	$(BIN)/python benchmarks/judge.py

speed: $(READY) escnn ## measure how fast networks train, beside the original's recipe and escnn (leave the machine alone)
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/speed_page.py

pictures: $(READY) sandbox browser ## take the pictures of docs/ from the running program
	$(BIN)/python benchmarks/pictures.py
	$(BIN)/python benchmarks/screenshots.py

figures: $(READY) ## turn benchmarks/results into docs/figures.md, and docs/speed.md
	$(BIN)/python benchmarks/figures.py
	$(BIN)/python benchmarks/speed_page.py

constraints: ## pin what is installed now as what we test and grade with (torch brings its own GPU libraries)
	{ grep '^#' constraints.txt; $(BIN)/pip freeze --exclude-editable | grep -viE '^(nvidia-|cuda-|triton|pip=|setuptools=)'; } > constraints.new
	mv constraints.new constraints.txt

clean: ## remove what was built here, but no student's work
	rm -rf $(VENV) build dist demo .pytest_cache .ruff_cache src/*.egg-info src/*/*.egg-info
