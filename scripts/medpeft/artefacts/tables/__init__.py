"""One file a table; `medpeft.artefacts.registry` finds them by name."""
