"""What the paper says of a study, one module a part of it; every function works for any study."""
