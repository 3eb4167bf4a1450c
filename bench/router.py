"""What routing one request costs, over either protocol, with HA pairs, limits, labels once: `python -m bench.router`.

Bodies rotate through more memory than the caches hold, as they do in a gateway; CPU time of one thread.
"""

import random
import time
from typing import TYPE_CHECKING

from tests.wire.labels_oracle import label_fields, text_field, varint
from wire.hashing import tenant_seed
from wire.series_set import SeriesBudget, SeriesSet
from wire.snappy import compress, decompress
from wire.write_request import Router
from wire.written_labels import WrittenLabels

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

SERIES = 2000
BODIES = 50
ROUNDS = 10
MAX_BODY = 1 << 20
NOW = 1_700_000_000_000


def labels_of(number: int, *, replica: bool) -> dict[bytes, bytes]:
    """Ten labels of about 280 bytes, and a replica label where it is asked for."""
    return {
        b"__name__": b"http_request_duration_seconds_bucket",
        **({b"__replica__": b"prometheus-0"} if replica else {}),
        b"cluster": b"production-eu-west-1",
        b"container": b"api",
        b"endpoint": b"http-metrics",
        b"instance": b"10.%d.%d.%d:8080" % (number >> 16, number >> 8 & 255, number & 255),
        b"job": b"kubernetes-service-endpoints",
        b"le": b"0.25",
        b"namespace": b"payments",
        b"pod": b"api-7f9c8d5b6-%05d" % (number % 100_000),
        b"service": b"api-gateway-%d" % (number % 40),
    }


def sample(rng: random.Random) -> bytes:
    return text_field(2, b"\x09" + rng.randbytes(8) + b"\x10" + varint(NOW))


def bodies(rng: random.Random, *, replica: bool) -> list[bytes]:
    """One sample for each series, as Prometheus sends them."""

    def series(number: int) -> bytes:
        return text_field(1, label_fields(labels_of(number, replica=replica).items()) + sample(rng))

    return [b"".join(series(b * SERIES + n) for n in range(SERIES)) for b in range(BODIES)]


def body_v2(first: int, rng: random.Random) -> bytes:
    """The same over remote-write 2.0, with metadata for each series."""
    refs: dict[bytes, int] = {b"": 0}
    parts = []
    for number in range(first, first + SERIES):
        pairs = labels_of(number, replica=False).items()
        packed = b"".join(varint(refs.setdefault(text, len(refs))) for pair in pairs for text in pair)
        said = b"\x08\x03\x18" + varint(refs.setdefault(b"Duration of requests.", len(refs)))
        parts.append(text_field(5, text_field(1, packed) + sample(rng) + text_field(5, said)))
    return b"".join(text_field(4, text) for text in refs) + b"".join(parts)


def limited_router() -> Router:
    """Every limit on, and nothing beyond any."""
    return Router(
        16,
        max_label_pairs=30,
        max_label_name_bytes=128,
        max_label_value_bytes=1024,
        max_series_per_request=100_000,
        max_samples_per_request=100_000,
        max_exemplars_per_request=1000,
        max_histogram_buckets=160,
    )


def known_labels(router: Router, some: list[bytes], seed: int) -> WrittenLabels:
    """Of all series of these bodies: nothing else is written of them from now on but rows."""
    written = WrittenLabels(SeriesBudget(1 << 30), 16, 450_000)
    for number, body in enumerate(some):
        routed = router.route(body, seed, NOW - 1000, NOW + 1000, written=written, log_now=NOW)
        if routed.labels is not None:
            routed.labels.learn([(number, NOW)] * len(routed.records))
    return written


def without_labels(router: Router, some: list[bytes], seed: int) -> "Callable[[Buffer, int], None]":
    written = known_labels(router, some, seed)

    def route_once(body: "Buffer", message: int) -> None:
        routed = router.route(body, seed, NOW - 1000, NOW + 1000, message=message, written=written, log_now=NOW)
        if routed.samples != SERIES or routed.labels is None or routed.labels.labelled:
            raise SystemExit(f"refused, or with labels: {routed.rejected}")

    return route_once


def main() -> None:
    rng = random.Random(1)
    plain, named = bodies(rng, replica=False), bodies(rng, replica=True)
    second = [body_v2(b * SERIES, rng) for b in range(BODIES)]
    router, seed = Router(16, cluster_label="cluster", replica_label="__replica__"), tenant_seed(b"bench")
    limited, active = limited_router(), SeriesSet(SeriesBudget(1 << 30), 0, limit=10_000_000)
    active.admit(rng.randbytes(8 * 1_000_000))  # as many more series as make the table larger than caches

    def route(body: "Buffer", *, message: int = 1, name_replicas: bool = False) -> None:
        routed = router.route(body, seed, NOW - 1000, NOW + 1000, message=message, name_replicas=name_replicas)
        if routed.samples != SERIES:
            raise SystemExit(f"refused: {routed.rejected}")

    route_once = without_labels(router, plain, seed)

    def route_limited(body: bytes, *, message: int = 1, active: SeriesSet | None = None) -> None:
        routed = limited.route(body, seed, NOW - 1000, NOW + 1000, message=message, active=active)
        if routed.samples != SERIES:
            raise SystemExit(f"refused: {routed.rejected}")

    rows: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
        "copy": (plain, bytearray),
        "route": (plain, route),
        "route, limits": (plain, route_limited),
        "route, limits, active series": (plain, lambda body: route_limited(body, active=active)),
        "route 2.0": (second, lambda body: route(body, message=2)),
        "route 2.0, limits, active": (second, lambda body: route_limited(body, message=2, active=active)),
        "route, labels once": (plain, lambda body: route_once(body, 1)),
        "route 2.0, labels once": (second, lambda body: route_once(body, 2)),
        "decompress, route": (list(map(compress, plain)), lambda body: route(decompress(body, MAX_BODY))),
        "decompress, route 2.0": (
            list(map(compress, second)),
            lambda body: route(decompress(body, MAX_BODY), message=2),
        ),
        "route, HA on, not of a pair": (plain, lambda body: route(body, name_replicas=True)),
        "route, HA off, of a pair": (named, route),
        "route, HA on, of a pair": (named, lambda body: route(body, name_replicas=True)),
    }
    spent: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (some, call) in rows.items():
            begin = time.thread_time_ns()
            for body in some:
                call(body)
            spent[name].append((time.thread_time_ns() - begin) / SERIES / BODIES)
    sizes = f"{len(plain[0]) / SERIES:.1f}, over 2.0 {len(second[0]) / SERIES:.1f}"
    print(f"bytes a series {sizes}; ns a series, best and median of {ROUNDS} rounds")
    for name, times in spent.items():
        print(f"{name:30}{min(times):8.1f}{sorted(times)[ROUNDS // 2]:8.1f}")


if __name__ == "__main__":
    main()
