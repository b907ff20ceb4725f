"""One module a dataset; `registry` finds them by name."""
