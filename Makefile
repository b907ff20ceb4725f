# Two commands do everything: `make demo` and `make test`. Each makes the virtual environment first where there is none.
PYTHON ?= python3.11
CORES ?= all
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

STUDY ?= config.yaml
REPEATS ?= 3

.PHONY: demo pretrain benchmark verify disk-use clean-incomplete docs results-docs test lint types units studies

demo: .venv/installed
	snakemake --cores $(CORES) --quiet rules reason host
	@printf 'paper    results/embedded/paper.pdf\ntables   results/embedded/tables/\nfigures  results/embedded/figures/\n'

# The weights in pretrained/ and what they are worth on BUSI; MIRROR is a folder with busi.zip.
pretrain: .venv/installed
	snakemake --cores $(CORES) --quiet rules reason host --configfile studies/busi.yaml --config mirror=$(MIRROR) -- pretrained
	cp -r data/pretrained/*.safetensors data/pretrained/*.json data/pretrained/*.csv data/pretrained/latent_diffusion_mini pretrained/

# How fast the pipeline is beside what users run instead (benchmarks/README.md); with MIRROR, a folder with busi.zip, on
# real images as well.
benchmark: .venv/installed
	python benchmarks/benchmark.py --repeats $(REPEATS) $(if $(MIRROR),--mirror $(MIRROR))

# Whether the results of a study belong to the code and data that are here: make verify STUDY=studies/busi.yaml
verify: .venv/installed
	snakemake --cores 1 --quiet all --configfile $(STUDY) -- verify

disk-use:
	@du -hsc data/*/* results/* 2>/dev/null

# What killed runs have left, while none is running: checkpoints, half-written files, the lock. Finished work stays.
clean-incomplete: .venv/installed
	for folder in $(wildcard data results); do \
	  find $$folder -name '.*.part' -delete -o -name '.*.unfinished*' -delete -o -name '.images.npy.*' -delete; \
	done
	snakemake --unlock --configfile $(STUDY)

test: lint types units studies docs

lint: .venv/installed-dev
	ruff check
	ruff format --check
	snakefmt --check Snakefile rules
	snakemake --lint

# Types, and that packages of the library import downwards only.
types: .venv/installed-dev
	mypy
	lint-imports

units: .venv/installed-dev
	pytest -m "not gpu and not exhaustive" --numprocesses auto --dist loadfile

# Every study builds its graph of jobs.
studies: .venv/installed-dev
	for study in config.yaml studies/*.yaml; do \
	  snakemake --dry-run --quiet all --configfile $$study || exit 1; \
	done

# The documentation as a site in site/, without a network; every warning is an error.
docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

# The files of a finished study that the documentation shows, copied into it: make results-docs NAME=busi
results-docs:
	cd docs/results/$(NAME) && find . -type f | while read file; do \
	  cp $(CURDIR)/results/$(NAME)/$$file $$file || exit 1; \
	done

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@
