"""What every criterion of pruning, rule of learning, reader and encoder keeps to, as functions for tests of one's own.

criteria, learners, readers, encoders   `check(...)` of each raises `AssertionError`, naming the rule that is broken;
                                        `CHECKS` are its parts, one rule each

No test framework is needed.

>>> from hrsnn.pruning.criteria import Uniform
>>> from hrsnn.testing import criteria
>>> criteria.check(Uniform())
"""
