"""Methods that train some of the network's own parameters."""
