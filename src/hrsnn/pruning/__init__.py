"""Pruning: a large recurrent network made small without looking at a task (method.md 12).

schedule     the walk from a network to a small one, in many steps or in one
criterion    what a method of pruning is
target       how small a network is to become, and the sizes on the way
lnp          Lyapunov noise pruning as a criterion, of four steps:
noise        I: synapses are kept with a probability that follows from the covariance of a linear network
nodes        II: neurons with the least betweenness go
edges        III: synapses are added where they delocalise eigenvectors
timescales   IV: membrane time constants follow the spectrum of the dense network
criteria     other methods, to compare with
homeostasis  rates brought back after pruning, whatever the criterion
drive        the input under which pruning looks at a network
covariance, sampling   what step I is made of: the stationary covariance, and the choice at random
synapses     new synapses, for step III and for criteria that make some
methods      the table of criteria, by name
spec, options          the tables `[prune]` and `[prune.lnp]`, and what a run offers to criteria
session, snapshots, document   what `hrsnn prune` leaves in a directory
"""
