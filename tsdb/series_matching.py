"""Which series of an index pass matchers, by its postings lists alone."""

from collections.abc import Sequence

from tsdb.index_reader import IndexReader
from tsdb.matcher import Matcher, MatchType
from tsdb.postings import Postings, intersect, subtract, union


def matching_series(index: IndexReader, matchers: Sequence[Matcher]) -> Postings:
    """Ids of the series that pass all matchers, ascending.

    A matcher that takes the empty string passes every series without its label, which no list names. So its opposite is
    looked up, the values that it refuses, and taken away.
    """
    found: Postings | None = None
    refused: list[Postings] = []
    for matcher in matchers:
        if matcher.matches(b""):
            refused.extend(_lists(index, matcher, passing=False))
        else:
            ids = union(_lists(index, matcher, passing=True))
            found = ids if found is None else intersect(found, ids)
            if not found:
                return found
    if found is None:
        found = index.all()
    return subtract(found, union(refused)) if refused else found


def _lists(index: IndexReader, matcher: Matcher, *, passing: bool) -> list[Postings]:
    """The lists of those values of the matcher's label that pass it, or of those that do not."""
    if matcher.value and matcher.kind in {MatchType.EQUAL, MatchType.NOT_EQUAL}:
        span = index.table.find(matcher.name, matcher.value)
        wanted = [] if span is None else [span]
    else:
        entries = zip(index.table.values(matcher.name), index.table.spans(matcher.name), strict=True)
        wanted = [span for value, span in entries if matcher.matches(value) is passing]
    return [index.postings(span) for span in wanted]
