"""Dockerfile, instruction by instruction."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_CONTINUED = re.compile(r"\\\n\s*")


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [argument for each, argument in self.instructions if each == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]


def stages(file: Path) -> list[Stage]:
    """In the order of the file; lines that go on are one, comments are left out."""
    lines = (line for line in file.read_text().splitlines(keepends=True) if not line.lstrip().startswith("#"))
    found: list[Stage] = []
    for line in _CONTINUED.sub("", "".join(lines)).splitlines():
        instruction, _, argument = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, name = argument.partition(" AS ")
            found.append(Stage(base, name))
        elif instruction:
            found[-1].instructions.append((instruction, argument.strip()))
    return found
