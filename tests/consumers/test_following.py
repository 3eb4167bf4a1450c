"""Which replica of an HA pair is stored: held to a slow reading of the rule, and cut anywhere with the same outcome."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from broker.record import Replica
from bucket.manifest import Followed, HaRecipe
from consumers.following import Following, digest

TIMEOUT = 30
RECIPE = HaRecipe(failover_timeout=TIMEOUT, max_clusters=2)


class Sent(NamedTuple):
    tenant: str
    replica: Replica
    wait: int


_SENT = st.lists(
    st.builds(
        Sent,
        st.sampled_from(["t", "u"]),
        st.builds(Replica, st.sampled_from(["c", "d", "e"]), st.sampled_from(["a", "b", "z"])),
        st.sampled_from([0, 1, 10, TIMEOUT - 1, TIMEOUT, TIMEOUT + 1, 10 * TIMEOUT]),
    ),
    max_size=40,
)


def follow(sent: list[Sent], cuts: frozenset[int] = frozenset()) -> list[bool]:
    """What is taken, where a new segment begins before the records `cuts`."""
    following, time, taken = Following(RECIPE, ()), 0, []
    for number, (tenant, replica, wait) in enumerate(sent):
        if number in cuts:
            following = Following(RECIPE, following.at(time))
        time += wait
        taken.append(following.takes(tenant, replica, time))
        if taken[-1]:
            following.saw(tenant, replica, time)
    return taken


def follow_slowly(sent: list[Sent]) -> list[bool]:
    """As the contract says it, each time from all that was stored before."""
    stored: list[tuple[str, Replica, int]] = []
    taken, time = [], 0
    for tenant, replica, wait in sent:
        time += wait
        heard = [each for each in stored if each[0] == tenant and time - each[2] <= TIMEOUT]
        followed = [each[1].name for each in heard if each[1].cluster == replica.cluster]
        others = {each[1].cluster for each in heard} - {replica.cluster}
        taken.append(not followed or followed[-1] == replica.name)
        if taken[-1] and (followed or len(others) < RECIPE.max_clusters):
            stored.append((tenant, replica, time))
    return taken


@given(_SENT)
def test_the_choice_is_what_the_rule_says(sent: list[Sent]) -> None:
    assert follow(sent) == follow_slowly(sent)


@given(_SENT, st.frozensets(st.integers(0, 40)))
def test_where_segments_are_cut_changes_no_choice(sent: list[Sent], cuts: frozenset[int]) -> None:
    assert follow(sent, cuts) == follow(sent)


def test_another_is_followed_only_after_silence_longer_than_the_timeout() -> None:
    a, b = Replica("c", "a"), Replica("c", "b")
    following = Following(RECIPE, ())
    following.saw("t", a, 100)
    assert not following.takes("t", b, 100 + TIMEOUT)
    assert following.takes("t", b, 101 + TIMEOUT)
    assert following.takes("t", a, 101 + TIMEOUT)  # asking changes nothing
    following.saw("t", b, 101 + TIMEOUT)
    assert not following.takes("t", a, 101 + TIMEOUT)


def test_tenants_and_clusters_are_followed_apart() -> None:
    following = Following(RECIPE, ())
    following.saw("t", Replica("c", "a"), 0)
    assert not following.takes("t", Replica("c", "b"), 0)
    assert following.takes("u", Replica("c", "b"), 0)
    assert following.takes("t", Replica("d", "b"), 0)


def test_clusters_beyond_the_bound_are_taken_whole_and_take_no_memory() -> None:
    following = Following(RECIPE, ())
    for number in range(1000):
        for name in "ab":
            replica = Replica(f"c{number}", name)
            assert following.takes("t", replica, 5) is (number >= RECIPE.max_clusters or name == "a")
            if name == "a" or number >= RECIPE.max_clusters:
                following.saw("t", replica, 5)
    assert [each.cluster for each in following.at(5)] == ["c0", "c1"]
    following.saw("t", Replica("c999", "a"), 6 + TIMEOUT)  # the others are silent: there is room
    assert [each.cluster for each in following.at(6 + TIMEOUT)] == ["c999"]


def test_what_a_segment_ends_with_is_in_order_and_holds_nobody_silent() -> None:
    following = Following(RECIPE, [Followed("u", "d", "a", 0), Followed("u", "c", "b", 7), Followed("t", "e", "a", 5)])
    assert following.at(TIMEOUT) == (Followed("t", "e", "a", 5), Followed("u", "c", "b", 7), Followed("u", "d", "a", 0))
    assert following.at(TIMEOUT + 1) == (Followed("t", "e", "a", 5), Followed("u", "c", "b", 7))
    assert Following(None, following.at(0)).at(0) == ()
    assert digest(()) == ""
    assert digest(following.at(0)) != digest(following.at(TIMEOUT + 1))
