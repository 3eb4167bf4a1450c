"""Makes chains for tests."""

from bucket.manifest import BlockEntry, Ledger, Manifest, Recipe

WINDOW = 7_200_000
TIME = 1_700_006_400_000

RECIPE = Recipe(
    builder=1,
    external_labels={"cluster": "eu1"},
    tenant_label="tenant_id",
    window=WINDOW,
    segment_interval=1_800_000,
    segment_max_bytes=1 << 30,
    max_age=0,
    max_future=0,
    max_windows=8,
)


def make_manifest(
    start: int,
    end: int,
    *,
    log_id: str = "log",
    partition: int = 0,
    blocks: tuple[BlockEntry, ...] = (),
    ledger: dict[str, Ledger] | None = None,
    gap: tuple[int, int] | None = None,
) -> Manifest:
    return Manifest(
        log_id=log_id,
        partition=partition,
        start=start,
        end=end,
        first_append_time=TIME + start,
        last_append_time=TIME + end,
        ended_by="mark",
        recipe=RECIPE,
        recipe_digest=RECIPE.digest(),
        blocks=blocks,
        ledger=ledger or {},
        gap=gap,
    )


def make_chain(count: int, length: int = 10, *, partition: int = 0) -> list[Manifest]:
    return [make_manifest(n * length, (n + 1) * length, partition=partition) for n in range(count)]
