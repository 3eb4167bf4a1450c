"""What a head may say of a record besides that it cannot be decoded."""

from forebay.errors import InvalidData


class LabelsUnknown(InvalidData):
    """A hash in the record resolves to no labels known here; what the record teaches is learned all the same."""
