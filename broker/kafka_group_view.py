"""A look at a consumer group of Kafka from outside."""

from broker.kafka_topic import KafkaTopic
from broker.log import GroupDescription
from broker.settings import KafkaSettings


class KafkaGroupView:
    """A GroupView."""

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        """Raises Fatal where librdkafka refuses a setting."""
        self._topic = KafkaTopic(settings)
        self._group = group

    def describe(self) -> GroupDescription:
        return GroupDescription(self._topic.members(self._group), self._topic.all_committed(self._group))

    def close(self) -> None:
        """The admin client ends with this object."""
