from collections.abc import Iterable, Sequence
from typing import Protocol

ACTIONS: tuple[str, ...]
"""Every action a rule may have."""

class Rule(Protocol):
    """A rule whose fields are as Prometheus' relabel_config has them, valid together."""

    @property
    def source_labels(self) -> Sequence[str]: ...
    @property
    def separator(self) -> str: ...
    @property
    def regex(self) -> str: ...
    @property
    def modulus(self) -> int: ...
    @property
    def target_label(self) -> str: ...
    @property
    def replacement(self) -> str: ...
    @property
    def action(self) -> str: ...

class RelabelMemos:
    """What RE2 said about values, kept between requests for all rules of a process; used under the GIL."""

    def __init__(self, max_bytes: int) -> None:
        """Of what is not in use; a request that is being routed uses at most an eighth of it besides."""
    @property
    def idle_bytes(self) -> int: ...

class RelabelRules:
    """A list of rules, compiled. Keeps nothing between calls but memos: any number of threads may use it at once."""

    def __init__(self, rules: Sequence[Rule], memos: RelabelMemos | None = None) -> None:
        """`memos` is 1 MiB of its own where none is given.

        Raises:
            ValueError: a regex is not RE2.
        """
    def __len__(self) -> int: ...
    def apply(self, labels: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]] | None:
        """The labels of one series after all rules, by name; None where a rule drops it.

        No label may come twice, or be empty. The way for one series; `Router` carries rules out in its walk.

        Raises:
            ValueError: rules make more than 8192 labels of them, or a text of more than 1 MiB.
            MemoryError: there was no memory.
        """
