# make demo                set up .venv, install, and explain the classifier in
#                          sample_data/pretrained/ with the GAN there
# make demo-from-scratch   the same after training both on sample_data/ for some minutes
# make test                set up .venv, install, and run the tests, but for the slow ones; prints
#                          the ten longest, and how many of the lines of ganexplain/ ran
# make test-slow           the tests that take more than five seconds each
# make coverage            all tests, and for each module the lines that none runs
# make docs                write the documentation site to build/site; warnings are errors
# make release-check       build the archives of a release in dist/, and try the wheel by itself
# make torture             faults and hostile inputs for 20 minutes on two cores (MINUTES=60: longer)
#
# Other recordings:
#   make demo-from-scratch CORPUS=~/jamendo SCRATCH=runs/jamendo SETTINGS=my-settings

PYTHON ?= python3
CORPUS ?= sample_data
SETTINGS ?= sample_data/demo
RUN ?= runs/demo
MINUTES ?= 20
SCRATCH ?= runs/demo-from-scratch
VENV := .venv
# Names with spaces cannot stand in a make rule; a corpus of such names is just not watched.
CORPUS_FILES := $(wildcard $(CORPUS)/filelists/*) $(filter %.csv,$(CORPUS))
GANEXPLAIN := $(VENV)/bin/ganexplain

.PHONY: demo demo-from-scratch test test-slow coverage torture lint docs release-check clean
.DELETE_ON_ERROR:

demo: $(RUN)/report/report.html
	@echo "$(abspath $<)"

demo-from-scratch: $(SCRATCH)/report/report.html
	@echo "$(abspath $<)"

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(SCRATCH)/classifier/classifier.pt: $(SETTINGS)/train-classifier.toml $(CORPUS_FILES) | $(VENV)/installed
	$(GANEXPLAIN) train-classifier $(CORPUS) --config $< --out $(@D) --overwrite

$(SCRATCH)/gan/gan.pt: $(SETTINGS)/train-gan.toml $(CORPUS_FILES) | $(VENV)/installed
	$(GANEXPLAIN) train-gan $(CORPUS) --config $< --out $(@D) --overwrite

$(RUN)/report/report.html: $(wildcard sample_data/pretrained/*.pt) | $(VENV)/installed
	$(GANEXPLAIN) demo --out $(RUN) --overwrite

$(SCRATCH)/report/report.html: $(SETTINGS)/run.toml $(SCRATCH)/classifier/classifier.pt $(SCRATCH)/gan/gan.pt
	$(GANEXPLAIN) run $(CORPUS) --config $< --classifier $(SCRATCH)/classifier/classifier.pt \
	    --gan $(SCRATCH)/gan/gan.pt --out $(SCRATCH) --overwrite

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python tests/english.py
	$(VENV)/bin/python tests/house.py

# A process a core with one thread each, and the tests of a file in one process: they share what
# is slow to make. The files with slow tests come first, in the order of tests/conftest.py.
PYTHON_OF_TESTS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(VENV)/bin/python
PYTEST := -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder --durations=10
# A probe of SlipCover costs 11 ns each time its line runs; tracing every line would cost a third.
# Numba compiles kernels.py, and cannot compile a probe.
SLIPCOVER := $(PYTHON_OF_TESTS) -m slipcover --source ganexplain \
    --omit ganexplain/networks/fast/kernels.py

test: $(VENV)/installed
	$(SLIPCOVER) --json --out .coverage.json $(PYTEST) -m "not slow"
	$(VENV)/bin/python tests/lines.py .coverage.json

test-slow: $(VENV)/installed
	$(PYTHON_OF_TESTS) $(PYTEST) -m slow

# torch.compile cannot trace a probe.
coverage: $(VENV)/installed
	$(SLIPCOVER) --skip-covered $(PYTEST) -k "not (compiled and inside)"

# The site brings all that it loads: no font, script or picture comes from elsewhere.
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --quiet --strict
	@echo "$(abspath build/site/index.html)"

$(VENV)/installed-docs: $(VENV)/installed
	$(VENV)/bin/pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

# VERSION, of a tag, must be that of the package. The wheel is tried in an environment of its own, in
# an empty home and an empty folder, on a recording that it carries.
VERSION ?= $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' ganexplain/version.py)
WHEEL := $(abspath build/wheel)
ALONE := cd $(WHEEL)/empty && env -i PATH=$(WHEEL)/bin:/usr/bin:/bin HOME=$(WHEEL)/empty

release-check: $(VENV)/installed-release
	rm -rf dist build/lib $(WHEEL)
	$(VENV)/bin/python -m build
	$(VENV)/bin/twine check --strict dist/*
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/pip install --quiet -c constraints.txt dist/*.whl
	mkdir $(WHEEL)/empty
	test "$$($(ALONE) ganexplain --version)" = "ganexplain $(VERSION)"
	$(ALONE) sh -c 'cd $(WHEEL)/lib/python3*/site-packages/ganexplain && test -f py.typed && \
	    ganexplain predict sample_data/audio/alone_eli_minor_hall.ogg --out $(WHEEL)/empty/predict \
	    --classifier sample_data/pretrained/classifier.pt'
	@ls -l dist

$(VENV)/installed-release: $(VENV)/installed
	$(VENV)/bin/pip install --quiet -c constraints.txt -e '.[release]'
	touch $@

torture: $(VENV)/installed
	$(VENV)/bin/python -m tests.torture --minutes $(MINUTES)

clean:
	rm -rf runs/demo runs/demo-from-scratch build dist *.egg-info
