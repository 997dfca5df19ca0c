"""Bayesian optimisation whose search points are laws of parameters (method.md 11).

space      what is searched: laws by their means and shapes, and numbers
embedding  points as vectors whose distance is the 2-Wasserstein distance of their laws
kernel     a Gaussian process' kernel on them
sampler    the next point to try, as a sampler of Optuna
"""
