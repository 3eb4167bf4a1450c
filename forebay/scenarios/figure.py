"""A number that says where it is from."""

from typing import Literal, Self

Kind = Literal["measured", "published", "assumed"]


class Figure(float):
    """Computes as a float. `source` is the command that measured it, or who says so."""

    unit: str
    kind: Kind
    source: str

    def __new__(cls, value: float, unit: str, kind: Kind, source: str) -> Self:
        figure = super().__new__(cls, value)
        figure.unit, figure.kind, figure.source = unit, kind, source
        return figure
