# Two commands do everything: `make demo` and `make test`. Each makes the virtual environment first where there is none:
# envs/install says with which Python; PYTHON=... names another.
CORES ?= all
export PATH := $(CURDIR)/.venv/bin:$(PATH)

STUDY ?= config.yaml
REPEATS ?= 3

.PHONY: demo pretrain benchmark verify disk-use clean-incomplete docs results-docs test lint types units studies \
  lock update conda report

demo: .venv/installed
	snakemake --cores $(CORES) --quiet rules reason host
	@printf 'paper    results/embedded/paper.pdf\ntables   results/embedded/tables/\nfigures  results/embedded/figures/\n'

# One HTML file with all artefacts, captions and run times of a finished study.
report: .venv/installed
	snakemake --configfile $(STUDY) --quiet all --report report.html

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
	snakefmt --check Snakefile rules workflow
	snakemake --lint

# Types, and that packages of the library import downwards only.
types: .venv/installed-dev
	mypy
	lint-imports

units: .venv/installed-dev
	pytest -m "not gpu and not exhaustive" --numprocesses auto --dist loadfile --no-loadscope-reorder

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

# The locks have every package with its hashes, also those that others bring; requirements*.txt have what is asked for.
# Versions that are locked stay, unless requirements*.txt ask for others; UPGRADE=--upgrade takes the newest that fit.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header $(UPGRADE)

lock: .venv/installed-dev
	$(LOCK) requirements.txt --output-file requirements.lock
	$(LOCK) requirements-dev.txt --constraint requirements.lock --output-file requirements-dev.lock

# The newest versions of all packages, tested, and what they change in the default study (docs/how-to/update.md).
update: .venv/installed-dev
	python envs/update.py

# The environments of --use-conda, in which pip also takes the versions that are locked. It cannot check the hashes there,
# for then it wants them in the environments' own files as well.
conda: .venv/installed .snakemake/versions.txt
	PIP_CONSTRAINT=$(CURDIR)/.snakemake/versions.txt snakemake --use-conda --conda-create-envs-only --cores 1 --quiet rules

.snakemake/versions.txt: requirements.lock
	mkdir -p $(@D)
	sed -n 's/^\([^ #].*==[^\\]*\).*/\1/p' $< > $@

.venv/installed: requirements.lock pyproject.toml
	envs/install requirements.lock
	touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	envs/install requirements-dev.lock
	touch $@
