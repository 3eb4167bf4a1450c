"""What a remote-read client takes: the first type it names that we speak. We speak sampled answers."""

from collections.abc import Sequence

from forebay.errors import InvalidData

SAMPLES = 0


def check_accepted(types: Sequence[int]) -> None:
    """An empty list means samples. Raises InvalidData where the client takes only what we do not speak."""
    if types and SAMPLES not in types:
        raise InvalidData(
            f"no accepted response type is known: accepted_response_types={list(types)}",
            hint="this server answers SAMPLES (0); let the client accept it",
        )
