"""The library behind the pipeline, from archives to artefacts; it knows nothing of Snakemake."""

import gc

# Importing torch makes millions of objects, none of them garbage: at Python's default the collector looks at them again
# and again, which takes as long as a third of the import.
gc.set_threshold(100_000, 50, 1000)
