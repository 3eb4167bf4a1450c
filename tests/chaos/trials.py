"""One short storm for each invariant: what a build that breaks it cannot pass, and any other can."""

import time
from collections.abc import Callable

from tests.chaos.cluster import GRACE, GROUP, Cast, Cluster
from tests.chaos.role import Role

CAST = Cast(gateways=1, consumers=1, replicas=0, senders=2, pause=0.05)


def upload_refused(cluster: Cluster) -> None:
    """The store takes manifests and no blocks; then the consumer dies."""
    (consumer,) = cluster.named("consumer")
    cluster.weather.refuse_writes_but("/forebay/")
    before = cluster.weather.met["503 ServiceUnavailable"]
    cluster.wait(lambda: cluster.weather.met["503 ServiceUnavailable"] > before, "no block was uploaded")
    time.sleep(1)
    with consumer.turn:
        consumer.kill()
        cluster.weather.clear()
        consumer.start()


def late_manifest(cluster: Cluster) -> None:
    """A consumer's manifests are on their way for so long that another, with other settings, has gone on meanwhile."""
    (consumer,) = cluster.named("consumer")
    partitions = cluster.topic.partitions
    cluster.wait(lambda: len(cluster.chain_ends(cluster.bucket)) == partitions, "no segments were published")
    with cluster.weather.holding("/forebay/segments/") as hold, consumer.turn:
        cluster.wait(lambda: hold.held >= partitions, "no manifest was created")
        hold.no_more()
        consumer.freeze()
        cluster.join(differently_set(cluster))
        for _ in range(2):
            wait_for_more(cluster)
        hold.release()
        cluster.proxy.settle()
        consumer.thaw()


def wait_for_more(cluster: Cluster) -> None:
    """Until every chain has grown."""
    before = cluster.chain_ends(cluster.bucket)

    def grown() -> bool:
        now = cluster.chain_ends(cluster.bucket)
        return all(now[partition] > end for partition, end in before.items())

    cluster.wait(grown, "the chains did not grow")


def differently_set(cluster: Cluster) -> Role:
    """A consumer whose segments end after a few records."""
    segment = {"interval": cluster.cast.interval, "grace": GRACE, "max_bytes": "10KiB"}
    settings = cluster.settings(cluster.bucket_name, cluster.proxy.endpoint, segment=segment)
    return cluster.make_role("consumer-other", "consumer", settings)


def undisturbed(cluster: Cluster) -> None:
    """Nothing happens."""
    partitions = cluster.topic.partitions
    cluster.wait(lambda: len(cluster.chain_ends(cluster.bucket)) == partitions, "no segments were published")


def gateway_dies_without_broker(cluster: Cluster) -> None:
    """The broker is gone while requests come; then the gateway dies, and only then the broker is back."""
    (gateway,) = cluster.named("gateway")
    with cluster.broker_turn:
        cluster.kafka.kill()
        time.sleep(3)
        with gateway.turn:
            gateway.kill()
            cluster.kafka.start(timeout=180)
            gateway.start()


def commits_amid_segments(cluster: Cluster) -> None:
    """Somebody moves the group's commits to where no segment ends."""
    (consumer,) = cluster.named("consumer")
    partitions = cluster.topic.partitions
    cluster.wait(lambda: len(cluster.chain_ends(cluster.bucket)) == partitions, "no segments were published")
    with consumer.turn:
        consumer.kill()
        cluster.topic.wait_left(GROUP)
        cluster.topic.commit(GROUP, dict.fromkeys(range(partitions), 1))
        consumer.start()


Trial = Callable[[Cluster], None]

TRIALS: dict[str, tuple[Trial, str]] = {
    "commit_before_upload": (upload_refused, "audit failed|samples are lost"),
    "unconditional_manifest": (late_manifest, "chain of partition|audit failed"),
    "wall_clock": (undisturbed, "buckets differ"),
    "ack_before_delivery": (gateway_dies_without_broker, "acknowledged samples are lost"),
    "trusting_commits": (commits_amid_segments, "chain of partition|audit failed"),
}
"""By broken build: the trial that shows it, and what the verdict says of it."""
