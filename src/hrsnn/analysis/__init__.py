"""Quantities of networks and of runs."""
