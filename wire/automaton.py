"""Automata for the regexes of relabel rules, as tables over bytes that a kernel walks.

Two kinds. The one that only says whether a value matches is a DFA. The one that says where groups lie exists where no
byte leaves a choice: then each value is read in one way at most, and which one RE2 would prefer is no question.
"""

from array import array
from typing import NamedTuple

from wire.regex_syntax import Byte, Choice, Group, Repeat, Row, Tree, UnknownSyntaxError, parse

MAX_NODES = 2000
MAX_CELLS = 1 << 16
MAX_STEPS = 50_000  # some ten milliseconds, once for a rule
MAX_GROUPS = 14  # two ends each, and a bit besides, in 32 bits


class Automaton(NamedTuple):
    """State 0 is where nothing matches any more; state 1 is the first."""

    classes: bytes
    """By byte: its class."""
    width: int
    """Classes."""
    next: "array[int]"
    """By state and class: the state that follows."""
    marks: "array[int]"
    """By state and class: ends of groups that lie before the byte, a bit each; empty where nobody asks."""
    accepts: "array[int]"
    """By state: 0, or 1 and its marks shifted by 1, where the value may end."""


class _Node(NamedTuple):
    mask: int
    """Of a byte; 0 at a fork or an end of a group."""
    mark: int
    """A group's end as its bit, or 0."""
    next: tuple[int, ...]


_MATCH = 0


class _Graph:
    """Nodes are made from the end backwards; node 0 is the match."""

    def __init__(self, tree: Tree) -> None:
        self.nodes: list[_Node] = [_Node(0, 0, ())]
        self.start = self._make(tree, _MATCH)

    def _add(self, mask: int, mark: int, *after: int) -> int:
        if len(self.nodes) >= MAX_NODES:
            raise UnknownSyntaxError
        self.nodes.append(_Node(mask, mark, after))
        return len(self.nodes) - 1

    def _make(self, tree: Tree, after: int) -> int:
        match tree:
            case Byte(mask):
                if not mask:  # no letter at all
                    raise UnknownSyntaxError
                return self._add(mask, 0, after)
            case Row(parts):
                for part in reversed(parts):
                    after = self._make(part, after)
                return after
            case Choice(parts):
                return self._add(0, 0, *(self._make(part, after) for part in parts))
            case Group(number, part):
                if number > MAX_GROUPS:
                    raise UnknownSyntaxError
                end = self._add(0, 1 << (2 * number + 1), after)
                return self._add(0, 1 << (2 * number), self._make(part, end))
            case Repeat(part, least, most):
                return self._repeat(part, least, most, after)

    def _repeat(self, part: Tree, least: int, most: int | None, after: int) -> int:
        if most is None:
            loop = self._add(0, 0)
            again = self._make(part, loop)
            self.nodes[loop] = _Node(0, 0, (again, after))
            after = again if least else loop
            least = max(least - 1, 0)
        else:
            end = after
            for _ in range(most - least):
                after = self._add(0, 0, self._make(part, after), end)
        for _ in range(least):
            after = self._make(part, after)
        return after

    def classes(self) -> tuple[bytes, int]:
        """Bytes that no node tells apart are of one class."""
        masks = {node.mask for node in self.nodes if node.mask}
        numbers: dict[tuple[int, ...], int] = {}
        told = (tuple(mask >> byte & 1 for mask in masks) for byte in range(256))
        found = bytes(numbers.setdefault(each, len(numbers)) for each in told)
        return found, len(numbers)


def matcher(pattern: str) -> Automaton | None:
    """Says whether a value matches; None where the pattern is beyond `regex_syntax`, or the table too large."""
    try:
        graph = _Graph(parse(pattern))
        return _determined(graph, *graph.classes())
    except UnknownSyntaxError:
        return None


def _determined(graph: _Graph, classes: bytes, width: int) -> Automaton:
    examples = [classes.index(number) for number in range(width)]
    first = _closure(graph, {graph.start})
    states: dict[frozenset[int], int] = {frozenset(): 0, first: 1}
    queue = [frozenset(), first]
    after = array("H")
    accepts = array("I")
    steps = 0
    for state in queue:  # which grows on the way
        accepts.append(_MATCH in state)
        for byte in examples:
            steps += 1 + len(state)
            reached = _closure(graph, {graph.nodes[n].next[0] for n in state if graph.nodes[n].mask >> byte & 1})
            if reached not in states:
                states[reached] = len(states)
                queue.append(reached)
                if len(states) * width > MAX_CELLS or steps > MAX_STEPS:
                    raise UnknownSyntaxError
            after.append(states[reached])
    return Automaton(classes, width, after, array("I"), accepts)


def _closure(graph: _Graph, nodes: set[int]) -> frozenset[int]:
    """Those nodes that read a byte or match, reachable without one."""
    seen: set[int] = set()
    stack = list(nodes)
    while stack:
        number = stack.pop()
        if number not in seen:
            seen.add(number)
            if not graph.nodes[number].mask:
                stack += graph.nodes[number].next
    return frozenset(n for n in seen if graph.nodes[n].mask or n == _MATCH)


def finder(pattern: str) -> Automaton | None:
    """Says where the groups lie, too; None also where a byte leaves a choice."""
    try:
        graph = _Graph(parse(pattern))
        return _one_way(graph, *graph.classes())
    except UnknownSyntaxError:
        return None


def _one_way(graph: _Graph, classes: bytes, width: int) -> Automaton:
    examples = [classes.index(number) for number in range(width)]
    states = {graph.start: 1}
    queue = [graph.start]
    after, marks, accepts = array("H", bytes(2 * width)), array("I", bytes(4 * width)), array("I", [0])
    for state in queue:  # which grows on the way
        ways: dict[int, tuple[int, int]] = {}
        accepted = 0
        for number, marked in _ways(graph, state):
            if number == _MATCH:
                accepted = 1 | marked << 1
            for kind, byte in enumerate(examples):
                if graph.nodes[number].mask >> byte & 1:
                    if kind in ways:
                        raise UnknownSyntaxError
                    ways[kind] = graph.nodes[number].next[0], marked
        accepts.append(accepted)
        for kind in range(width):
            reached, marked = ways.get(kind, (None, 0))
            if reached is not None and reached not in states:
                states[reached] = len(states) + 1
                queue.append(reached)
                if len(states) * width > MAX_CELLS:
                    raise UnknownSyntaxError
            after.append(states[reached] if reached is not None else 0)
            marks.append(marked)
    return Automaton(classes, width, after, marks, accepts)


def _ways(graph: _Graph, start: int) -> list[tuple[int, int]]:
    """Nodes that read a byte or match, and the ends of groups on the way. Raises where two ways lead to one node."""
    found = []
    seen: set[int] = set()
    stack = [(start, 0)]
    while stack:
        number, marked = stack.pop()
        if number in seen:
            raise UnknownSyntaxError
        seen.add(number)
        node = graph.nodes[number]
        if node.mask or number == _MATCH:
            found.append((number, marked))
        else:
            stack += [(each, marked | node.mark) for each in node.next]
    return found
