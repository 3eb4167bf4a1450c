"""Record format 1: what stands in key and headers (DESIGN section 6). The value is the wire package's matter."""

from broker.log import Headers, Record
from forebay.errors import Fatal, InvalidData

VERSION = 1
VERSION_HEADER = "forebay-version"
REPLICA_HEADER = "forebay-replica"
"""Names the HA replica that sent the record; only where the tenant has HA deduplication on."""


class UnsupportedRecord(Fatal):
    """A newer gateway wrote this record: stopping keeps it in the log for a consumer that understands it."""


def new_headers(replica: str = "") -> Headers:
    """The headers of a record about to be appended."""
    version = (VERSION_HEADER, str(VERSION).encode())
    return (version, (REPLICA_HEADER, replica.encode())) if replica else (version,)


def check_version(record: Record) -> None:
    """Returns where this version can read the record.

    Raises:
        InvalidData: there is no version, more than one, or it is not a number.
        UnsupportedRecord: the version is newer.
    """
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
