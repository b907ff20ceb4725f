"""Fine-tuning, the search for a learning rate, and pre-training."""
