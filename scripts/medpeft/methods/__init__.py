"""Fine-tuning methods: one file each, in the folder of its family; `registry` finds them by name."""
