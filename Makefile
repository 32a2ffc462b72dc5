# Two commands do everything on a fresh machine: `make demo` and `make test`.
# uv is used where there is one (much faster), pip otherwise. Python 3.11 or newer.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST_ARGS ?= -n auto
# What the tests need. Those of fine-tuned models pass over where PyTorch is not there:
# `make test TEST_EXTRAS=baselines,describe,dev` does without its gigabytes.
TEST_EXTRAS ?= baselines,describe,dev,finetune,graphs,harness
# What `make test-pythons` runs: all of Python 3.12 and 3.13 that are found, each under another kernel of OpenBLAS, and
# there all tests but those marked slow: `make test-pythons OTHER_TESTS=tests` runs them too.
OTHER_PYTHONS ?= 3.12:Haswell 3.13:Nehalem
OTHER_TESTS   ?= -m 'not slow' tests

# vLLM has an environment of its own: it needs older libraries.
VLLM_VENV ?= .venv-vllm
SMALL_MODEL := build/SmolLM2-135M-Instruct-Q4_1
PORT ?= 8000

UV := $(shell command -v uv 2>/dev/null)
# pip's own folder of local packages, where one is set up, serves uv as well.
ifneq ($(UV),)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif

.DEFAULT_GOAL := help
.PHONY: docs help demo test test-pythons test-wheel test-vllm serve-demo lint format typecheck constraints clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
ifneq ($(UV),)
	$(UV) venv --quiet --python $(PYTHON) $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

# A stamp per set of extras: the second call finds it newer than what it was made from and installs nothing.
$(VENV)/.installed-%: setup.cfg pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
ifneq ($(UV),)
	$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[$*]'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
endif
	@touch $@

demo: $(VENV)/.installed-baselines  ## set up and run the whole chain on the embedded sample
	$(BIN)/llm4mat-bench demo

test: $(VENV)/.installed-$(TEST_EXTRAS)  ## set up and run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-pythons:  ## run the tests on Python 3.12 and 3.13, where they are found, each under another BLAS kernel
	@for pair in $(OTHER_PYTHONS); do \
	  version=$${pair%%:*}; kernel=$${pair##*:}; \
	  if python=$$(scripts/find_python.sh $$version); then \
	    echo "Python $$version, OPENBLAS_CORETYPE=$$kernel"; \
	    OPENBLAS_CORETYPE=$$kernel $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$version TEST_EXTRAS=baselines,describe,dev PYTEST_ARGS="$(PYTEST_ARGS) $(OTHER_TESTS)" || exit 1; \
	  else echo "Python $$version: not found, passed over"; fi; \
	done

test-wheel: $(VENV)/pyvenv.cfg  ## build the wheel, install it in an empty environment, run the demo from there
	rm -rf build/wheel && mkdir -p build/wheel
ifneq ($(UV),)
	$(UV) build --quiet --wheel --out-dir build/wheel/dist
	$(UV) venv --quiet --python $(BIN)/python build/wheel/venv
	$(UV) pip install --quiet --python build/wheel/venv/bin/python --constraint constraints.txt "llm4mat-bench[baselines] @ file://$$(echo $(CURDIR)/build/wheel/dist/*.whl)"
else
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/wheel/dist .
	$(BIN)/python -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "llm4mat-bench[baselines] @ file://$$(echo $(CURDIR)/build/wheel/dist/*.whl)"
endif
	cd build/wheel && venv/bin/llm4mat-bench demo --out demo && test -s demo/leaderboard/index.html

$(VLLM_VENV)/.installed: setup.cfg pyproject.toml $(wildcard scripts/serve_demo/*.txt scripts/serve_demo/*.sh scripts/serve_demo/vllm_name/*.toml)
	scripts/serve_demo/set_up.sh $(VLLM_VENV) $(PYTHON)
	@touch $@

$(SMALL_MODEL)/config.json: $(VLLM_VENV)/.installed
	$(VLLM_VENV)/bin/python scripts/serve_demo/model_folder.py $(SMALL_MODEL)

serve-demo: $(SMALL_MODEL)/config.json  ## serve a small real model with vLLM on this machine, to be asked with `llm4mat-bench prompt`
	@$(PYTHON) scripts/serve_demo/serve.py --vllm $(VLLM_VENV)/bin/vllm --folder $(SMALL_MODEL) --port $(PORT)

test-vllm: $(VENV)/.installed-$(TEST_EXTRAS)  ## ask a small real model that vLLM serves (passed over where vLLM cannot be set up)
	scripts/serve_demo/exchange.sh $(VENV) $(VLLM_VENV) $(SMALL_MODEL)

lint: $(VENV)/.installed-$(TEST_EXTRAS) typecheck  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.installed-$(TEST_EXTRAS)  ## mypy, over the package as it is installed
	@$(BIN)/python scripts/link_package.py build/types
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p llm4mat_bench
	@# Of benchmarks and scripts, which no test runs: that they still call the package as it is.
	cd build/types && ../../$(BIN)/mypy --config-file ../../pyproject.toml --no-warn-unused-ignores \
	  --disable-error-code no-any-return 	  --disable-error-code no-untyped-call --disable-error-code import-untyped ../../benchmarks/*.py ../../scripts/*.py

format: $(VENV)/.installed-$(TEST_EXTRAS)  ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-baselines,describe,docs  ## build the manual: build/docs/index.html
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

constraints:  ## write constraints.txt anew from the newest versions that fit (then run the tests)
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet torch==2.13.0 '.[all,dev,harness]'
	{ head -2 constraints.txt; build/constraints/bin/python -m pip freeze --exclude llm4mat-bench | sed 's/+cpu//'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

clean:  ## remove what the commands above made
	rm -rf $(VENV) $(VLLM_VENV) .venv-3.* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
