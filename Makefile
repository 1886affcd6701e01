# `make help` lists the targets. Each makes the environment it needs; nothing is installed elsewhere.
.DEFAULT_GOAL := help
.PHONY: help env demo serve test test-faults test-machines check docs pictures audit paper bench-clustering bench-training bench-serving bench-storing bench-ingest soak format constraints clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
DATA ?= digits
PORT ?= 8000
RUNS ?= 200
SCALE ?= quick
MINUTES ?= 10
BIN := .venv/bin
INSTALLED := .venv/installed

# every process of the stack starts several times slower without compiled files
unexport PYTHONDONTWRITEBYTECODE

export NO_MKDOCS_2_WARNING = 1 # an advertisement

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

env: $(INSTALLED) ## make the environment in .venv

$(INSTALLED): pyproject.toml constraints.txt
	@echo 'Making the environment in .venv: some minutes the first time'
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED) ## train on handwritten digits over HTTP, see demo-output/ (DATA=mnist for MNIST)
	@exec $(BIN)/python -m examples.demo --data $(DATA)

serve: $(INSTALLED) ## run the whole service here until Ctrl-C (PORT=8000)
	@exec $(BIN)/python -m service up --port $(PORT) --with-parent

test: $(INSTALLED) ## run the whole suite, with real servers and processes
	@exec $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-faults: $(INSTALLED) ## kill every process at every point and 200 times at random, cut its network, fill its disks
	@exec $(BIN)/pytest tests/faults --fault-runs $(RUNS) --durations 5

test-machines: $(INSTALLED) ## the end-to-end tests against two machines on PostgreSQL and S3
	@exec $(BIN)/pytest tests/e2e --machines -n 2 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED) ## ruff, mypy, import contracts, dependencies, migrations, documentation, audit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pip check --quiet
	$(BIN)/python -m migrations.check
	$(BIN)/mkdocs build --quiet
	@PYTHON=$(PYTHON) .ci/audit

docs: $(INSTALLED) ## build the documentation into site/
	$(BIN)/mkdocs build --quiet
	@echo Open site/index.html

pictures: $(INSTALLED) ## make the pictures of the documentation anew
	$(BIN)/python -m docs.make_pictures

audit: ## look for known vulnerabilities of the dependencies, as far as they can be looked up
	@PYTHON=$(PYTHON) .ci/audit

paper: $(INSTALLED) ## reproduce the paper's tables and figures in benchmark-output/ (SCALE=quick or full)
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.paper --scale $(SCALE) --json benchmark-output/paper.json

bench-clustering: $(INSTALLED) ## the default preset against other clusterings, 5 seeds
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.clustering --json benchmark-output/clustering.json

bench-training: $(INSTALLED) ## speed and memory of training, each against its reference
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.training --large --json benchmark-output/training.json

bench-serving: $(INSTALLED) ## speed of the service, each figure against its reference
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.serving --json benchmark-output/serving.json

bench-storing: $(INSTALLED) ## speed and size of a million stored assignments, on SQLite and PostgreSQL
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.storing --json benchmark-output/storing.json

bench-ingest: $(INSTALLED) ## time and memory that an upload of 1 GB takes
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.ingest --json benchmark-output/ingest.json

soak: $(INSTALLED) ## hundreds of clients while jobs train: no error, no growth (MINUTES=10)
	@mkdir -p benchmark-output
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --json benchmark-output/soak.json

format: $(INSTALLED) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

constraints: $(INSTALLED) ## write what is installed to constraints.txt
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean: ## remove the environment and everything that was made
	rm -rf .venv site demo-output benchmark-output kvae-data *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
