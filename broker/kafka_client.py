"""What all our Kafka clients have in common: settings, log lines, and the house's errors for librdkafka's."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException

from broker.log import LogUnavailable
from broker.settings import KafkaSettings
from forebay.errors import Fatal, ForebayError

Client = TypeVar("Client")

FULL_QUEUE_MS = 5
"""How long a consumer asks for nothing once it has as much ready as it may. By default a second, of which it then waits
for nine tenths: what was ready is used up long before."""
_SHRINKS = 8
"""How much a batch of records may grow when it is decompressed, beyond which a fetch holds more than it should."""
QUIET = {"log_level": 0}
"""Says nothing by itself: its errors are told by what it was asked for."""

REQUEST_SECONDS = 10.0
"""How long a question to the cluster may take."""
_SECURITY_HINT = "see broker.kafka.librdkafka: security.protocol, sasl.mechanism, sasl.username, ssl.ca.location"

_REFUSED = {
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refused the credentials",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "the broker does not offer this SASL mechanism",
    KafkaError.ILLEGAL_SASL_STATE: "the broker expects another way to authenticate",
    KafkaError._AUTHENTICATION: "authentication failed",  # noqa: SLF001 - librdkafka's own codes begin so
    KafkaError._SSL: "the TLS handshake failed",  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this user may not use the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this user may not use the group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "this user may not do that on the cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "this user may not write idempotently",
}
"""What no waiting mends."""
UNANSWERED = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - librdkafka's own codes begin so
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
    }
)
"""No broker said anything."""
PASSING = UNANSWERED | frozenset(
    {
        KafkaError._MAX_POLL_EXCEEDED,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.LEADER_NOT_AVAILABLE,
    }
)
"""What librdkafka goes on after by itself."""


def client_config(
    settings: KafkaSettings, role: str, own: dict[str, Any], *, on_error: Callable[[KafkaError], None]
) -> dict[str, Any]:
    """The settings of any client with its own; `role` names it in the broker's logs. Raw librdkafka settings win.

    A client that is not polled all the time needs QUIET, or its log lines would pile up within it.
    """
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": f"forebay-{role}",
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,  # a broker that is back is noticed soon
        # A broker that goes on after a freeze may name no broker at first, not even itself. A client forgets it then,
        # and asks the bootstrap servers again only after so long; by default after five minutes.
        "metadata.recovery.rebootstrap.trigger.ms": 5_000,
        "error_cb": on_error,
        "logger": ClientLog(),
        **own,
        **settings.librdkafka,
    }


def fetch_max_bytes(ahead: int) -> int:
    """The bound of one answer, for one that is to hold `ahead` bytes of records: librdkafka counts compressed bytes.

    Not below the size of one message, which librdkafka refuses. Its default is 50 MiB.
    """
    return max(1 << 20, ahead // _SHRINKS)


def make_client(make: Callable[[dict[str, Any]], Client], config: dict[str, Any]) -> Client:
    """Raises Fatal where librdkafka refuses a setting."""
    try:
        return make(config)
    except KafkaException as error:
        raise Fatal(
            f"kafka client cannot be made error={text(error.args[0])}", hint="see broker.kafka.librdkafka"
        ) from error


def log_error(failure: KafkaError | KafkaException, doing: str) -> ForebayError:
    """Fatal where waiting is of no use, LogUnavailable otherwise."""
    error = error_of(failure)
    refused = _REFUSED.get(error.code())
    if refused is not None:
        return Fatal(f"{refused} while={doing} error={text(error)}", hint=_SECURITY_HINT)
    if error.code() == KafkaError.TOPIC_EXCEPTION:
        return Fatal(
            f"not a name for a topic while={doing} error={text(error)}",
            hint="set broker.kafka.topic to letters, digits, '.', '_' and '-' only, at most 249",
        )
    if error.code() == KafkaError.FENCED_INSTANCE_ID:
        return Fatal(
            f"another member has this static member id while={doing} error={text(error)}",
            hint="give every consumer a consumer.member of its own, such as the pod's name",
        )
    return LogUnavailable(f"kafka does not answer while={doing} error={text(error)}")


def error_of(failure: KafkaError | KafkaException) -> KafkaError:
    """What the exception carries."""
    if isinstance(failure, KafkaException):
        carried: KafkaError = failure.args[0]
        return carried
    return failure


def text(error: KafkaError) -> str:
    """One line: the name and what librdkafka says of it."""
    return " ".join(f"{error.name()}: {error.str()}".split())


class ClientLog:
    """Where librdkafka's own log lines go: into ours."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger(component="librdkafka")

    def log(self, level: int, message: str, *arguments: object) -> None:
        """As `logging.Logger.log`. Lines about lost connections are many, and the clients' errors say it too."""
        line = message % arguments if arguments else message
        if level >= logging.ERROR and "FAIL" not in line:
            self._logger.warning(line)
        else:
            self._logger.debug(line)
