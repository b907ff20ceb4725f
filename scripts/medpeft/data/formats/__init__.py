"""Readers of image files: one module for each library that reads a family of formats."""
