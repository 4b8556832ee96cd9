# make demo    built-in data, training, test and a picture of predictions; run again, it goes on where it stopped
# make test    the tests; ARGS='-k neuron' is passed to pytest
# make lint    ruff
# make clean   remove what demo, test and lint leave, not .venv
#
# All of them install spikemm and what it needs into .venv first, once: 6 GB, because torch brings CUDA.
# The interpreter is the first of these that is Python 3.11 or 3.12; make PYTHON=/path/to/python chooses another.
PYTHON  ?= python3.12 python3.11 python3
CONFIG  ?= configs/meta_spikeformer/sdtv2-nano_t1_1xb64-8e_digit-scenes.py

WORK    := work_dirs/$(basename $(notdir $(CONFIG)))
BIN     := .venv/bin
READY   := .venv/spikemm-is-installed
USABLE  := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

.PHONY: demo test lint clean

demo: $(READY)
	$(BIN)/python tools/dataset_converters/digit_scenes.py classification
	$(BIN)/python tools/train.py $(CONFIG) --work-dir $(WORK) --resume
	$(BIN)/python tools/test.py $(CONFIG) $$(cat $(WORK)/last_checkpoint) --work-dir $(WORK)/test \
	    --out $(WORK)/metrics.json --out-item metrics
	$(BIN)/python demo/predictions.py $(CONFIG) $$(cat $(WORK)/last_checkpoint) --out $(WORK)/predictions.png
	@echo
	@echo "Trained and tested $(CONFIG):"
	@echo "  metrics      $$(cat $(WORK)/metrics.json)"
	@echo "  firing rate  $$(grep -ho 'firing rate [0-9].*' $(WORK)/*/*.log | tail -n 1 | cut -c 13-)"
	@echo "  checkpoint   $$(cat $(WORK)/last_checkpoint)"
	@echo "  picture      $(WORK)/predictions.png"
	@echo "  log          $$(ls $(WORK)/*/*.log | tail -n 1)"

test: $(READY)
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .

clean:
	rm -rf $(WORK) data/digit_scenes .pytest_cache .ruff_cache

$(READY): setup.py requirements/runtime.txt requirements/tests.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	    for python in $(PYTHON); do \
	        if $$python -c '$(USABLE)' 2>/dev/null; then echo "$$python -m venv .venv"; exec $$python -m venv .venv; fi; \
	    done; \
	    echo 'No Python 3.11 or 3.12 with its module venv among: $(PYTHON). Name one: make PYTHON=/path/to/python' >&2; \
	    exit 1; }
	$(BIN)/python -m pip install --progress-bar off -e '.[tests]'
	$(BIN)/python -m pip check
	@touch $@
