"""What routing one request costs, against copying its bytes: `python -m bench.router`.

Bodies rotate through more memory than the caches hold, as they do in a gateway; CPU time of one thread.
"""

import random
import time

from tests.wire.labels_oracle import label_fields, text_field, varint
from wire.hashing import tenant_seed
from wire.write_request import Router

SERIES = 2000
BODIES = 50
ROUNDS = 10
NOW = 1_700_000_000_000


def series(number: int, rng: random.Random) -> bytes:
    """Ten labels of about 280 bytes, one sample: what Prometheus sends."""
    labels = {
        b"__name__": b"http_request_duration_seconds_bucket",
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


def main() -> None:
    rng = random.Random(1)
    bodies = [b"".join(series(b * SERIES + n, rng) for n in range(SERIES)) for b in range(BODIES)]
    router, seed = Router(16), tenant_seed(b"bench")
    copy, route = [], []
    for _ in range(ROUNDS):
        begin = time.thread_time_ns()
        for body in bodies:
            bytearray(body)
        copied = time.thread_time_ns()
        for body in bodies:
            routed = router.route(body, seed, NOW - 1000, NOW + 1000)
            if routed.samples != SERIES:
                raise SystemExit(f"refused: {routed.rejected}")
        route.append((time.thread_time_ns() - copied) / SERIES / BODIES)
        copy.append((copied - begin) / SERIES / BODIES)
    print(f"bytes a series  {len(bodies[0]) / SERIES:8.1f}")
    print(f"copy, ns        {min(copy):8.1f}")
    print(f"route, ns       {min(route):8.1f}   median {sorted(route)[ROUNDS // 2]:.1f}")


if __name__ == "__main__":
    main()
