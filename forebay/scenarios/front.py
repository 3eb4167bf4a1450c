"""Those without state that take requests in: gateways, distributors, routing receivers."""

from math import ceil

from forebay.scenarios.calibration import Calibration


class Front:
    """Filled to `busy` at the rate that it was made for, and scaled on its CPU a while after that rises."""

    def __init__(self, rate: float, rate_of_core: float, calibration: Calibration) -> None:
        self._given = calibration
        self._of_core = rate_of_core
        self._over_since: float | None = None
        self.cores = max(2, ceil(rate / (calibration.busy * rate_of_core)))

    def refused(self, rate: float) -> float:
        """The share of requests that is one too many, where samples come at `rate`."""
        return max(0.0, 1 - self.cores * self._of_core / rate) if rate else 0.0

    def watch(self, now: float, rate: float) -> None:
        """Its scaler sees this rate."""
        if not self.refused(rate):
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now
        elif now - self._over_since >= self._given.gateway_scaled_after:
            self.cores = ceil(rate / (self._given.busy * self._of_core))
