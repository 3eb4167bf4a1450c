"""What relabel rules add to routing one request: `python -m bench.relabel`.

Series as Prometheus sends them: those of one target follow each other, 500 of them, with 200 metric names. Bodies
rotate through more memory than the caches hold; CPU time of one thread.
"""

import random
import time

from bench.router import BODIES, NOW, ROUNDS, SERIES, labels_of, sample
from gateway.relabel import RelabelRule as Rule
from tests.wire.labels_oracle import label_fields, text_field
from wire.hashing import tenant_seed
from wire.relabel import RelabelMemos, RelabelRules
from wire.write_request import Router

TARGET_SERIES = 500
NAMES = 200

WORDS = "|".join(f"http_requests_{n}_total" for n in range(50))
TYPICAL = (
    Rule(action="drop", source_labels=("__name__",), regex="go_.*|process_.*"),
    Rule(action="drop", source_labels=("__name__",), regex=WORDS),
    Rule(action="drop", source_labels=("namespace",), regex="kube-system|monitoring"),
    Rule(action="drop", source_labels=("__name__", "le"), regex="apiserver_.*_bucket;(0\\.1|0\\.5|1)"),
    Rule(action="keep", source_labels=("cluster",), regex="production-.*"),
    Rule(action="drop", source_labels=("container",), regex="POD"),
    Rule(source_labels=("pod",), regex="(.+)-canary", target_label="track", replacement="canary"),
    Rule(source_labels=("instance",), regex="([^:]+):0", target_label="host"),
    Rule(action="labeldrop", regex="pod_template_hash|controller_revision_hash"),
    Rule(source_labels=("service",), regex="legacy-([a-z]+)-[0-9]+", target_label="service"),
)
"""Ten rules that find nothing to do: what they cost those whom they are not about."""
CHANGING = (
    *TYPICAL[:7],
    Rule(source_labels=("instance",), regex="([^:]+):\\d+", target_label="host"),
    Rule(action="labeldrop", regex="endpoint|pod_template_hash"),
    Rule(source_labels=("cluster",), regex="production-(.*)", target_label="region"),
)
"""Ten rules that change every series."""
LISTS: dict[str, tuple[Rule, ...]] = {
    "no rules": (),
    "one rule, a word": TYPICAL[5:6],
    "ten rules, nothing to do": TYPICAL,
    "ten rules, labels changed": CHANGING,
    "ten rules, all dropped": (*TYPICAL[:9], Rule(action="drop", source_labels=("job",), regex="kube.*")),
}


def series(number: int, rng: random.Random, *, each_its_own: bool) -> bytes:
    labels = labels_of(number if each_its_own else number // TARGET_SERIES, replica=False)
    labels[b"__name__"] = b"http_request_%d_duration_seconds_bucket" % (number % NAMES)
    return text_field(1, label_fields(labels.items()) + sample(rng))


def bodies(rng: random.Random, *, each_its_own: bool) -> list[bytes]:
    return [
        b"".join(series(b * SERIES + n, rng, each_its_own=each_its_own) for n in range(SERIES)) for b in range(BODIES)
    ]


def main() -> None:
    rng, seed, memos = random.Random(1), tenant_seed(b"bench"), RelabelMemos(64 << 20)
    targets, single = bodies(rng, each_its_own=False), bodies(rng, each_its_own=True)
    rows = {name: (Router(16, relabel=RelabelRules(rules, memos)), targets) for name, rules in LISTS.items()}
    rows["ten rules, each series a target"] = (Router(16, relabel=RelabelRules(TYPICAL, memos)), single)
    spent: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, (router, some) in rows.items():
            begin = time.thread_time_ns()
            for body in some:
                routed = router.route(body, seed, NOW - 1000, NOW + 1000)
                if routed.samples + routed.dropped != SERIES:
                    raise SystemExit(f"refused: {routed.rejected}")
            spent[name].append((time.thread_time_ns() - begin) / SERIES / BODIES)
    print(f"ns a series of {len(targets[0]) / SERIES:.0f} bytes, best and median of {ROUNDS} rounds")
    for name, times in spent.items():
        print(f"{name:34}{min(times):8.1f}{sorted(times)[ROUNDS // 2]:8.1f}")


if __name__ == "__main__":
    main()
