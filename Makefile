# make demo   set up .venv, install, and run all five stages on sample_data/
# make test   set up .venv, install, and run the tests
#
# The demo's stages are file targets: editing sample_data/demo/STAGE.toml reruns that stage
# and those after it, no more. Other recordings: make demo CORPUS=~/jamendo RUN=runs/jamendo

PYTHON ?= python3
CORPUS ?= sample_data
SETTINGS ?= sample_data/demo
RUN ?= runs/demo
VENV := .venv
# Names with spaces cannot stand in a make rule; a corpus of such names is just not watched.
CORPUS_FILES := $(wildcard $(CORPUS)/filelists/*) $(filter %.csv,$(CORPUS))
GANEXPLAIN := $(VENV)/bin/ganexplain

.PHONY: demo test lint clean
.DELETE_ON_ERROR:

demo: $(RUN)/report/report.html
	@echo "$(abspath $<)"

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(RUN)/classifier/classifier.pt: $(SETTINGS)/train-classifier.toml $(CORPUS_FILES) | $(VENV)/installed
	$(GANEXPLAIN) train-classifier $(CORPUS) --config $< --out $(@D) --overwrite

$(RUN)/gan/gan.pt: $(SETTINGS)/train-gan.toml $(CORPUS_FILES) | $(VENV)/installed
	$(GANEXPLAIN) train-gan $(CORPUS) --config $< --out $(@D) --overwrite

$(RUN)/explain/explanations.npz: $(SETTINGS)/explain.toml $(RUN)/classifier/classifier.pt $(RUN)/gan/gan.pt | $(VENV)/installed
	$(GANEXPLAIN) explain --config $< --classifier $(RUN)/classifier/classifier.pt \
	    --gan $(RUN)/gan/gan.pt --out $(@D) --overwrite

$(RUN)/select/selection.json: $(SETTINGS)/select.toml $(RUN)/explain/explanations.npz | $(VENV)/installed
	$(GANEXPLAIN) select $(RUN)/explain/explanations.npz --config $< --corpus $(CORPUS) \
	    --out $(@D) --overwrite

$(RUN)/report/report.html: $(SETTINGS)/report.toml $(RUN)/explain/explanations.npz $(RUN)/select/selection.json | $(VENV)/installed
	$(GANEXPLAIN) report $(RUN)/explain/explanations.npz --config $< \
	    --selection $(RUN)/select/selection.json --responses $(RUN)/select/responses.npz \
	    --out $(@D) --overwrite

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: $(VENV)/installed
	$(VENV)/bin/pytest

clean:
	rm -rf runs/demo build dist *.egg-info
