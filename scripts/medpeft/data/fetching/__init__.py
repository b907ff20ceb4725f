"""Getting archives and scattered files from the web or a mirror."""
