"""How a dataset of the user's own is read: which files are images, and what folders, names and tables say of them."""
