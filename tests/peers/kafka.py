"""A real Kafka beside the test: one KRaft node, broker and controller in one process, that can die and come back."""

import base64
import shutil
import struct
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from subprocess import CalledProcessError, run
from typing import Self

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.peers.process import PeerError, Process, free_port
from tests.peers.recipes import Recipe

USER = "forebay"
PASSWORD = "forebay-very-secret"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=3000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=500
"""

_CLUSTER_ID = "Zm9yZWJheS1mb3JlYmF5IQ"  # any 16 bytes in base64

_JAVA = (
    "-Xmx512m",
    # With so small a heap the default collector takes a share of the CPU that varies from run to run.
    "-XX:+UseParallelGC",
    # Starting costs half the CPU without the second compiler.
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class KafkaBroker(Process):
    """Serves on the same ports, from the same data, however often it is stopped, killed, and started again.

    Clients need no authentication at `bootstrap`; at `sasl_bootstrap` they need SASL, PLAIN or SCRAM-SHA-256, with USER
    and PASSWORD. Sessions may be as short as a second.
    """

    def __init__(self, recipe: Recipe, directory: Path) -> None:
        """`directory` is made, and holds data and log."""
        directory.mkdir(parents=True)
        self._properties = directory / "server.properties"
        plain, sasl, controller = free_port(), free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{plain}"
        self.sasl_bootstrap = f"127.0.0.1:{sasl}"
        self._usual = _PROPERTIES.format(
            plain=plain, sasl=sasl, controller=controller, data=directory / "data", user=USER, password=PASSWORD
        )
        self.configure({})
        java = shutil.which("java")
        if java is None:
            raise PeerError("kafka needs java: apt-get install openjdk-17-jre-headless")
        self._classes = [java, *_JAVA, "-cp", f"{recipe.program('server').parent}/*"]
        super().__init__([*self._classes, "kafka.Kafka", self._properties], directory / "kafka.log")
        self._formatted = False

    def start(self, timeout: float = 120) -> Self:
        """Returns when it serves."""
        if not self._formatted:
            self._format()
        super().start()
        self._wait_serves(timeout)
        return self

    def configure(self, properties: Mapping[str, int]) -> None:
        """What the broker has beside the usual, or instead of it, from its next start on."""
        self._properties.write_text(self._usual + "".join(f"{name}={value}\n" for name, value in properties.items()))

    def create_topic(self, name: str, partitions: int = 4, **config: str | int) -> str:
        """Returns the name when every partition has its leader. A setting's dots are underscores here."""
        settings = {"message.timestamp.type": "LogAppendTime"}
        settings |= {key.replace("_", "."): str(value) for key, value in config.items()}
        self._admin.create_topics([NewTopic(name, partitions, 1, config=settings)])[name].result(30)
        self._wait_partitions(name, partitions)
        return name

    def add_partitions(self, name: str, partitions: int) -> None:
        """Up to this many in all."""
        self._admin.create_partitions([NewPartitions(name, partitions)])[name].result(30)
        self._wait_partitions(name, partitions)

    def alter_topic(self, name: str, **config: str | int) -> None:
        """As `create_topic`; known everywhere when it returns."""
        entries = [ConfigEntry(key.replace("_", "."), str(value)) for key, value in config.items()]
        for entry in entries:
            entry.incremental_operation = AlterConfigOpType.SET
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self._admin.incremental_alter_configs([resource])[resource].result(30)

        def known() -> bool:
            found = self._admin.describe_configs([resource])[resource].result(30)
            return all(found[entry.name].value == entry.value for entry in entries)

        self._wait(known, f"topic {name} has not {config}")

    def delete_topic(self, name: str) -> None:
        """Gone when it returns, so that it can be created again."""
        self._admin.delete_topics([name], operation_timeout=30)[name].result(30)
        self._wait(lambda: name not in self._admin.list_topics(timeout=5).topics, f"topic {name} is still there")

    def delete_records(self, topic: str, partition: int, offset: int) -> None:
        """All before this offset, as retention would."""
        place = TopicPartition(topic, partition, offset)
        self._admin.delete_records([place])[place].result(30)

    def topic_id(self, name: str) -> str:
        """The topic's UUID, as Kafka writes it: base64 that is safe in addresses and paths."""
        found = self._admin.describe_topics(TopicCollection([name]))[name].result(30).topic_id
        halves = found.get_most_significant_bits(), found.get_least_significant_bits()
        return base64.urlsafe_b64encode(struct.pack(">qq", *halves)).decode().rstrip("=")

    def written_topic_id(self, name: str) -> str:
        """As `topic_id`, but from Kafka's own file, which comes with the first record of partition 0."""
        file = self._properties.parent / "data" / f"{name}-0" / "partition.metadata"
        self._wait(file.exists, f"topic {name} has no record")
        return dict(line.split(": ") for line in file.read_text().splitlines())["topic_id"]

    @cached_property
    def _admin(self) -> AdminClient:
        # Back at once after a restart, where the default would wait for up to ten seconds; and says nothing meanwhile.
        return AdminClient({"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0})

    def _format(self) -> None:
        """Gives the data directory its cluster id, and the SCRAM user that only the cluster's own metadata can hold."""
        scram = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
        tool = "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(self._properties), "--add-scram", scram
        try:
            run([*self._classes, *tool], check=True, capture_output=True, text=True)
        except CalledProcessError as error:
            raise PeerError(f"kafka storage was not formatted:\n{error.stdout}{error.stderr}") from error
        self._formatted = True

    def _wait_partitions(self, name: str, partitions: int) -> None:
        def there() -> bool:
            found = self._admin.list_topics(name, timeout=5).topics[name]
            return len(found.partitions) == partitions and all(p.leader == 1 for p in found.partitions.values())

        self._wait(there, f"topic {name} has not {partitions} partitions with a leader")

    def _wait_serves(self, timeout: float) -> None:
        self._wait(lambda: 1 in self._admin.list_topics(timeout=1).brokers, "kafka does not serve", timeout)

    def _wait(self, condition: Callable[[], bool], message: str, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check_runs()
            try:
                if condition():
                    return
            except KafkaException:
                pass
            self.__dict__.pop("_admin", None)  # it may have been told of no broker, and never ask again
            time.sleep(0.05)
        raise PeerError(f"{message} after {timeout} s:\n{self.tail()}")
