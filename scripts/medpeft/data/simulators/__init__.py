"""Simulated ultrasound: how its images are drawn and archived, without any code that reads archives."""
