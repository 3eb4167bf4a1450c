from typing import NamedTuple

from typing_extensions import Buffer

class Part(NamedTuple):
    """What one tenant has of a request."""

    tenant: str
    """The request's own where it is empty. Where `refused` says something, what the label held, shortened."""
    body: Buffer
    """A message of the same kind."""
    refused: str = ""
    """Why these series are nobody's: invalid_tenant or too_many_tenants; empty where they are a tenant's."""

SPLIT_REASONS: tuple[str, ...]
"""Every reason that `refused` may give."""

class TenantSplit:
    """Divides requests by a label that names each series' tenant; the label is taken off. Any thread may use it.

    A series without the label, or with an empty one, is of the request's own tenant, and so is metadata of
    remote-write 1.0. A series that has the label twice is left as it is, for the router to refuse. So is a body that is
    malformed. Of the tenants that a request names, only the first 1000 are taken.
    """

    def __init__(self, label: str) -> None: ...
    def split(self, body: Buffer, *, message: int = 1, max_bytes: int = ...) -> list[Part]:
        """The request's own part first; none without series.

        A body in which no series has the label is handed back as it came. In remote-write 2.0 (`message=2`) each part
        has a symbol table of its own.

        Raises:
            BodyTooLarge: the parts together would hold more than `max_bytes`, since they share symbols.
            MemoryError: nothing was done.
        """
