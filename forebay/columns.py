"""Plain text in columns, for people at a terminal and for `column`-minded scripts."""

from collections.abc import Sequence


def columns(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A line of heads and one for each row; numbers to the right, the rest to the left, two spaces between."""
    table = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
    right = [bool(rows) and all(isinstance(row[column], int) for row in rows) for column in range(len(heads))]
    lines = (
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in table
    )
    return "\n".join(lines) + "\n"


def printable(cell: object) -> object:
    """A number as it is; text with what could play tricks on a terminal escaped."""
    if isinstance(cell, int):
        return cell
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(cell))
