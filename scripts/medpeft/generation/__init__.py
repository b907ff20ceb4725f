"""Images for captions: generated, scored against real ones, and searched for copies."""
