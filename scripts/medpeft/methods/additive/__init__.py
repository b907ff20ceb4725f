"""Methods that train new parameters."""
