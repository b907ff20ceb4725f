"""Tables, figures, cards and the paper."""
