"""A function whose minimum, value and gradient are known; it counts how often it is asked."""

import numpy as np

SCALES = np.array([1.0, 10.0, 0.1])
CENTRE = np.array([1.0, -2.0, 0.5])


class Bowl:
    """A quadratic around CENTRE."""

    def __init__(self):
        self.values = self.gradients = 0

    def __call__(self, x, *_):
        self.values += 1
        return 0.5 * float(SCALES @ (x - CENTRE) ** 2)

    def gradient(self, x, *_):
        self.gradients += 1
        return SCALES * (x - CENTRE)

    def both(self, x):
        return self(x), self.gradient(x)
