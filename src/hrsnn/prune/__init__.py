"""Pruning: a large recurrent network made small without looking at a task (MATH.md 12).

covariance   the stationary covariance of a linear network driven by noise
noise        step I: synapses are kept with a probability that follows from that covariance
"""
