"""Speed of the residents' way, measured end to end beside yardsticks of the same machine.

Never part of the tests: a figure here depends on the machine, only its ratios travel. What is
checked strictly is that every answer was right, however fast.
"""
