"""Letters to lower or upper case one by one, as Go's strings.ToLower and strings.ToUpper map them.

Python's own methods change the number of letters (`ß` to `SS`) and look at their neighbours (a final sigma).
"""


def lowercase(text: str) -> str:
    """As strings.ToLower."""
    return "".join(_one(char, char.lower()[:1]) for char in text)


def uppercase(text: str) -> str:
    """As strings.ToUpper."""
    return "".join(_one(char, char.upper() if len(char.upper()) == 1 else char.title()) for char in text)


def _one(char: str, mapped: str) -> str:
    return mapped if len(mapped) == 1 else char
