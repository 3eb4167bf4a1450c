"""Who gets which partitions when members come and go: as even as it goes, and nothing moves without need."""

from collections.abc import Sequence


def balanced(owners: Sequence[int], members: Sequence[int]) -> list[int]:
    """The new owner of each partition, with as few moves as there can be."""
    least, more = divmod(len(owners), len(members))
    held: dict[int, list[int]] = {member: [] for member in members}
    homeless = []
    for partition, owner in enumerate(owners):
        if owner in held:
            held[owner].append(partition)
        else:
            homeless.append(partition)
    # Those that hold most keep one more than the rest, so that fewest move.
    room = {
        member: least + (place < more)
        for place, member in enumerate(sorted(members, key=lambda member: (-len(held[member]), member)))
    }
    result = list(owners)
    for member in members:
        homeless += held[member][room[member] :]
        room[member] -= min(len(held[member]), room[member])
    free = iter([member for member in members for _ in range(room[member])])
    for partition in sorted(homeless):
        result[partition] = next(free)
    return result
