"""One module a strategy; `registry` finds them by name."""
