"""How evenly a hash spreads series."""

import random
from math import fsum, sqrt


def shares_of(places: int, series: int, chance: random.Random) -> list[float]:
    """The share of the load of each, 1 in all: series fall on places by chance, and chance evens out."""
    spread = sqrt(places / series)
    weights = [max(0.0, chance.gauss(1, spread)) for _ in range(places)]
    # Here and elsewhere not `sum`, which adds floats in another way from Python 3.12 on: a seed is to say it all.
    whole = fsum(weights)
    return [weight / whole for weight in weights]
