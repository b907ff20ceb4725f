"""What everything else stands on: errors, files, locks on GPUs, and reading Python files without importing them."""
