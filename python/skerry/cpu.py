"""Products as a program without a model wants them: whole batches in one go, and blocks of a size that one chooses.

>>> import numpy
>>> from skerry.cpu import CacheOptimizedProcessor, process_batch_optimized
>>> batch = numpy.float32([[1, 7], [3, 7]])  # the second column is constant
>>> process_batch_optimized(batch, numpy.eye(2, dtype=numpy.float32), activation="none")
array([[-1.,  0.],
       [ 1.,  0.]], dtype=float32)
>>> CacheOptimizedProcessor(block_size=64).blocked_matrix_multiplication(batch, batch)
array([[22., 56.],
       [24., 70.]], dtype=float32)
"""

from __future__ import annotations

from skerry._core import CacheOptimizedProcessor, process_batch_optimized

__all__ = ["CacheOptimizedProcessor", "process_batch_optimized"]
