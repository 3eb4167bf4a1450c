"""What routing one request costs, against copying its bytes, and with HA pairs: `python -m bench.router`.

Bodies rotate through more memory than the caches hold, as they do in a gateway; CPU time of one thread.
"""

import random
import time
from typing import TYPE_CHECKING

from tests.wire.labels_oracle import label_fields, text_field, varint
from wire.hashing import tenant_seed
from wire.write_request import Router

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = 2000
BODIES = 50
ROUNDS = 10
NOW = 1_700_000_000_000


def series(number: int, rng: random.Random, *, replica: bool) -> bytes:
    """Ten labels of about 280 bytes, and a replica label where it is asked for, one sample: what Prometheus sends."""
    labels = {
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
    fields = label_fields(labels.items())
    sample = b"\x09" + rng.randbytes(8) + b"\x10" + varint(NOW)
    return text_field(1, fields + text_field(2, sample))


def bodies(rng: random.Random, *, replica: bool) -> list[bytes]:
    return [b"".join(series(b * SERIES + n, rng, replica=replica) for n in range(SERIES)) for b in range(BODIES)]


def main() -> None:
    rng = random.Random(1)
    plain, named = bodies(rng, replica=False), bodies(rng, replica=True)
    router, seed = Router(16, cluster_label="cluster", replica_label="__replica__"), tenant_seed(b"bench")

    def route(body: bytes, *, name_replicas: bool) -> None:
        routed = router.route(body, seed, NOW - 1000, NOW + 1000, name_replicas=name_replicas)
        if routed.samples != SERIES:
            raise SystemExit(f"refused: {routed.rejected}")

    rows: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
        "copy": (plain, bytearray),
        "route": (plain, lambda body: route(body, name_replicas=False)),
        "route, HA on, not of a pair": (plain, lambda body: route(body, name_replicas=True)),
        "route, HA off, of a pair": (named, lambda body: route(body, name_replicas=False)),
        "route, HA on, of a pair": (named, lambda body: route(body, name_replicas=True)),
    }
    spent: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (some, call) in rows.items():
            begin = time.thread_time_ns()
            for body in some:
                call(body)
            spent[name].append((time.thread_time_ns() - begin) / SERIES / BODIES)
    print(f"bytes a series {len(plain[0]) / SERIES:.1f}; ns a series, best and median of {ROUNDS} rounds")
    for name, times in spent.items():
        print(f"{name:30}{min(times):8.1f}{sorted(times)[ROUNDS // 2]:8.1f}")


if __name__ == "__main__":
    main()
