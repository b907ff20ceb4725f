"""One file a figure; `medpeft.artefacts.registry` finds them by name."""
