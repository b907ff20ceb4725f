"""Backbones and diffusion pipelines, their weights, and how a device computes them."""
