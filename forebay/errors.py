"""Errors by what the caller does next (DESIGN section 11).

This module, `forebay.clock` and `forebay.units` are the floor of the house: they import nothing else of it, and every
package may import them. Packages subclass these where a caller must tell two cases apart; nothing else may be raised on
purpose across a package's border. Messages are lower case, carry values as fields, and name the operator's next command
in `hint`.
"""


class ForebayError(Exception):
    """What happened, to what; `hint` is what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} (hint: {self.hint})" if self.hint else message


class Retryable(ForebayError):
    """Back off and try again: 503 for a request. Nothing was decided."""


class InvalidData(ForebayError):
    """The same bytes will never be right: 4xx for a request, quarantine or ledger for a record."""


class Forbidden(InvalidData):
    """403: who asks may not have this, or not for this tenant."""


class Fatal(ForebayError):
    """Stop the process: exit code 1 at run time, 2 for settings, 3 at start-up."""
