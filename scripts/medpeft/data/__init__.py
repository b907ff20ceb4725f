"""From publishers' archives to split, audited images: one module a stage, one file a dataset."""
