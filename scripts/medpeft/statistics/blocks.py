"""Blocks, over which methods are compared: each is a dataset with a backbone, of one kind of encoder."""

LEAST_BLOCKS, LEAST_METHODS = 2, 3  # that a test over blocks needs
