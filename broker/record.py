"""What stands in key and headers of a record (DESIGN section 6). The value is the wire package's matter."""

import contextlib
from typing import NamedTuple

from broker.log import Headers, Record
from forebay.errors import Fatal, InvalidData

VERSION = 2
"""The newest that can be read here."""
LABEL_WINDOW = 450_000
"""ms; what `broker.label_window` is by default."""
VERSION_HEADER = "forebay-version"
REPLICA_HEADER = "forebay-replica"
"""Names the HA replica that sent the record; only where the tenant has HA deduplication on."""
CLUSTER_HEADER = "forebay-cluster"
"""Names what that replica is a replica of; beside REPLICA_HEADER and nowhere else."""
MAX_REPLICA_BYTES = 256
"""Of each of the two."""


class Replica(NamedTuple):
    """One of several identical senders."""

    cluster: str
    name: str


class UnsupportedRecord(Fatal):
    """A newer gateway wrote this record: stopping keeps it in the log for a consumer that understands it."""


def new_headers(replica: Replica | None = None, version: int = 1) -> Headers:
    """The headers of a record about to be appended."""
    named = (VERSION_HEADER, str(version).encode())
    if replica is None:
        return (named,)
    return (named, (CLUSTER_HEADER, replica.cluster.encode()), (REPLICA_HEADER, replica.name.encode()))


def version_of(record: Record) -> int:
    """The version of a record that can be read here.

    Raises:
        InvalidData: there is no version, more than one, or it is not a number.
        UnsupportedRecord: the version is newer.
    """
    if record.headers == _USUAL:
        return 1
    if record.headers == _USUAL_V2:
        return 2
    versions = [value for name, value in record.headers if name == VERSION_HEADER]
    at = f"partition={record.partition} offset={record.offset}"
    if len(versions) != 1:
        raise InvalidData(f"record needs one {VERSION_HEADER} header found={len(versions)} {at}")
    # isdigit of bytes is ASCII only; the length keeps a hostile header from being a very long number.
    if not versions[0].isdigit() or len(versions[0]) > 9 or int(versions[0]) < 1:
        raise InvalidData(f"record version is not a number version={versions[0][:32]!r} {at}")
    if int(versions[0]) > VERSION:
        raise UnsupportedRecord(
            f"record version is newer than this program version={int(versions[0])} supported={VERSION} {at}",
            hint="upgrade consumers before gateways",
        )
    return int(versions[0])


def is_version_2(record: Record) -> bool:
    """Also False where the headers name no version."""
    try:
        return version_of(record) == 2
    except InvalidData:
        return False


def tenant_of(record: Record) -> str:
    """The tenant id that the key holds; raises InvalidData where it holds none."""
    try:
        tenant = record.key.decode()
    except UnicodeDecodeError as error:
        raise InvalidData(
            f"record key is not UTF-8 key={record.key[:64]!r} partition={record.partition} offset={record.offset}"
        ) from error
    if not tenant:
        raise InvalidData(f"record has no tenant in its key partition={record.partition} offset={record.offset}")
    return tenant


def replica_of(record: Record) -> Replica | None:
    """The HA replica that the headers name, or None; raises InvalidData where they name half of one, or two."""
    if record.headers == _USUAL or all(name not in _REPLICA_HEADERS for name, _ in record.headers):
        return None
    named = tuple(sorted((name, value) for name, value in record.headers if name in _REPLICA_HEADERS))
    if tuple(name for name, _ in named) != _REPLICA_HEADERS:
        found = ",".join(name for name, _ in named)
        raise InvalidData(
            f"record needs one {CLUSTER_HEADER} and one {REPLICA_HEADER} header, or none found={found} "
            f"partition={record.partition} offset={record.offset}"
        )
    cluster, name = (_text(value, record) for _, value in named)
    return Replica(cluster, name)


def without_replica(headers: Headers) -> Headers:
    """Of a record that is to be stored whoever is followed."""
    return tuple((name, value) for name, value in headers if name not in _REPLICA_HEADERS)


_REPLICA_HEADERS = (CLUSTER_HEADER, REPLICA_HEADER)
_USUAL = new_headers()
"""What nearly every record has: known at one look."""
_USUAL_V2 = new_headers(version=2)


def _text(value: bytes, record: Record) -> str:
    if 0 < len(value) <= MAX_REPLICA_BYTES:
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
    raise InvalidData(
        f"record names its replica by something else than 1 to {MAX_REPLICA_BYTES} bytes of UTF-8 value={value[:64]!r} "
        f"partition={record.partition} offset={record.offset}"
    )
