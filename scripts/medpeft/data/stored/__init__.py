"""What a preparation keeps beside the images: unfinished work, and what was found in the pixels."""
