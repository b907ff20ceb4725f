"""The library behind the pipeline, from archives to artefacts; it knows nothing of Snakemake."""

__version__ = "0.1.0"
