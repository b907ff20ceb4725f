# The pipeline and all that it runs on, in one image:
#   docker build --tag medpeft .
#   docker run --rm --volume "$PWD:/study" medpeft                                # the default study, into $PWD/results
#   docker run --rm --volume "$PWD:/study" medpeft --cores all --configfile my.yaml
# Add `--user "$(id -u):$(id -g)"` to own the results, `--gpus all` for GPUs. docs/how-to/container.md says more.
#
# The digest is of the index of all platforms. For a newer one: docker buildx imagetools inspect python:3.11-slim-trixie
FROM python:3.11-slim-trixie@sha256:9534e5a8e315485d4061ed659af0fd78a284c015f9b73661b41d6bab25604534
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /medpeft
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock
COPY . .
# Records of runs name the commit, which git tells no other user than the owner of the folder.
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . && git config --system --add safe.directory /medpeft
# Caches go where any user may write.
ENV HOME=/tmp
WORKDIR /study
ENTRYPOINT ["snakemake", "--snakefile", "/medpeft/Snakefile"]
CMD ["--cores", "all"]
