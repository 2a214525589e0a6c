"""What students import: data, training, equivariance, checks and plots for the course on group equivariant networks.

No module here holds a solution, a hidden test or a hidden digit; nothing here imports ``autograder``.
"""

__version__ = "0.1.0"
