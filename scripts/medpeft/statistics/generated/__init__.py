"""What generated images scored, and how sure that is."""
