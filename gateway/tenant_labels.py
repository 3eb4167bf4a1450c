"""Which tenants have a label value of their own in metrics: a bounded number, and never taken back.

A counter must not go back, so whoever has a label keeps it as long as the process lives. Half of the labels go to
whoever comes first. The others are kept for tenants that matter: those with at least 1/slots of all that was counted.
So names that a sender makes up can take the first half, and not the second.
"""

OTHERS = "other tenants"
"""Cannot be a tenant's id, which has no space."""


class TenantLabels:
    """For one event loop."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._own: set[str] = set()

    def of(self, tenant: str, counted: int, total: int) -> str:
        """The label of a tenant that `counted` of `total` samples so far are of."""
        if tenant in self._own:
            return tenant
        taken = len(self._own)
        if taken < (self._slots + 1) // 2 or (taken < self._slots and counted * self._slots >= total):
            self._own.add(tenant)
            return tenant
        return OTHERS
