"""How evenly a hash spreads series."""

import random
from math import sqrt


def shares_of(places: int, series: int, chance: random.Random) -> list[float]:
    """The share of the load of each, 1 in all: series fall on places by chance, and chance evens out."""
    spread = sqrt(places / series)
    weights = [max(0.0, chance.gauss(1, spread)) for _ in range(places)]
    whole = sum(weights)
    return [weight / whole for weight in weights]
