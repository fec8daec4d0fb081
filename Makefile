# Each target, alone, on a fresh machine with Python 3.11 to 3.13, sets up .venv and does its job.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: setup demo test lint docs fuzz clean

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "clgan_tf needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet -r requirements.txt
	@touch $@

demo: $(READY)
	$(VENV)/bin/python -m clgan_tf.main --flagfile=experiments/demo.flags

test: $(READY)
	$(VENV)/bin/python -m pytest

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict --site-dir=build/site
	$(VENV)/bin/python -m pytest -n 0 -m documented

FUZZ_SECONDS ?= 30
fuzz: $(READY)
	mkdir -p build/fuzz
	cd build/fuzz && ../../$(VENV)/bin/python ../../tests/fuzz/fuzz_capture.py -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 . ../../tests/fuzz/corpus

clean:
	rm -rf $(VENV) runs build *.egg-info
