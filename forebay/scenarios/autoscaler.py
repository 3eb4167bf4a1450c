"""How Kubernetes scales on a metric: HorizontalPodAutoscaler's algorithm, and KEDA's polling before it."""

from collections import deque
from dataclasses import dataclass
from math import ceil

SYNC_SECONDS = 15
_TOLERANCE = 0.1
"""Of the ratio to the target: within it nothing is changed."""


@dataclass(frozen=True)
class Behavior:
    """Of a ScaledObject: `pods` at most within `period` seconds, after a window in which the mildest advice counts."""

    up_window: int
    up_pods: int
    up_period: int
    down_window: int
    down_pods: int
    down_period: int
    least: int = 2
    most: int = 16


class Autoscaler:
    def __init__(self, behavior: Behavior, replicas: int) -> None:
        self.replicas = replicas
        self._behavior = behavior
        self._advice: deque[tuple[float, int]] = deque()
        self._changes: list[tuple[float, int]] = []

    def sync(self, now: float, ratio: float) -> int:
        """The number of pods from now on, where the metric is `ratio` times its target."""
        rule = self._behavior
        advice = self.replicas if abs(ratio - 1) <= _TOLERANCE else ceil(self.replicas * ratio - 1e-9)
        self._advice.append((now, min(rule.most, max(rule.least, advice))))
        longest = max(rule.up_window, rule.down_window)
        while self._advice[0][0] < now - longest:
            self._advice.popleft()
        up = min(pods for at, pods in self._advice if at >= now - rule.up_window)
        down = max(pods for at, pods in self._advice if at >= now - rule.down_window)
        wanted = max(up, min(self.replicas, down))
        if wanted > self.replicas:
            added = sum(pods for at, pods in self._changes if pods > 0 and at > now - rule.up_period)
            wanted = min(wanted, max(self.replicas, self.replicas - added + rule.up_pods))
        elif wanted < self.replicas:
            taken = -sum(pods for at, pods in self._changes if pods < 0 and at > now - rule.down_period)
            wanted = max(wanted, min(self.replicas, self.replicas + taken - rule.down_pods))
        if wanted != self.replicas:
            self._changes.append((now, wanted - self.replicas))
            self.replicas = wanted
        return self.replicas
