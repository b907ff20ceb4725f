# Two commands do everything: `make demo` and `make test`. Each makes the virtual environment first where there is none.
PYTHON ?= python3.11
CORES ?= all
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo pretrain test lint units studies

demo: .venv/installed
	snakemake --cores $(CORES) --quiet rules reason host
	@printf 'paper    results/embedded/paper.pdf\ntables   results/embedded/tables/\nfigures  results/embedded/figures/\n'

# The weights in pretrained/ and what they are worth on BUSI; MIRROR is a folder with busi.zip.
pretrain: .venv/installed
	snakemake --cores $(CORES) --quiet rules reason host --configfile studies/busi.yaml --config mirror=$(MIRROR) -- pretrained
	cp data/pretrained/*.safetensors data/pretrained/*.json data/pretrained/*.csv pretrained/

test: lint units studies

lint: .venv/installed-dev
	ruff check
	ruff format --check
	snakefmt --check Snakefile rules
	snakemake --lint

units: .venv/installed-dev
	pytest -m "not gpu" --numprocesses auto --dist loadfile

# Every study builds its graph of jobs.
studies: .venv/installed-dev
	for study in config.yaml studies/*.yaml; do \
	  snakemake --dry-run --quiet all --configfile $$study || exit 1; \
	done

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@
