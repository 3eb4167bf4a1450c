"""`forebay quarantine`: what to do about records that could not be decoded."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import msgspec

from broker.quarantine import NotQuarantined, Settled
from bucket.bucket import Bucket
from consumers.quarantine import BucketQuarantine
from forebay.clock import SystemClock
from forebay.columns import columns, printable
from forebay.errors import ForebayError
from forebay.exit_codes import FAILED, OK, START_FAILED, USAGE
from forebay.flags import Flags
from forebay.parts import open_existing_bucket
from forebay.quarantine_replay import replay
from forebay.quarantine_selection import Found, select, shown_id
from forebay.quarantine_show import show
from forebay.settings import Settings
from forebay.units import rfc3339

_AT_A_TIME = 16  # dropped at once; each is two requests to the bucket
_HEADS = ("id", "partition", "offset", "time", "tenant", "bytes", "reason")


def run(flags: Flags, settings: Settings) -> int:
    """1 where something that was asked for is not there or was left undone, 3 where bucket or log cannot be used."""
    asked = flags.quarantine
    if asked.action in {"replay", "drop"}:
        if bool(asked.ids) == asked.all:
            return _misused("name records by their ids, or give --all with the filters you want")
        if asked.action == "drop" and asked.all and not asked.yes:
            return _misused("drop --all removes records for good: give --yes as well")
    try:
        bucket = open_existing_bucket(settings, flags.data_dir)
        try:
            return _ACTIONS[asked.action](flags, settings, bucket)
        finally:
            bucket.close()
    except NotQuarantined as error:
        sys.stderr.write(f"forebay: {error}\n")
        return FAILED
    except ForebayError as error:
        sys.stderr.write(f"forebay: {error}\n")
        return START_FAILED


def _misused(message: str) -> int:
    sys.stderr.write(f"forebay: quarantine: {message}\n")
    return USAGE


def _list(flags: Flags, _settings: Settings, bucket: Bucket) -> int:
    rows = [_row(found) for found in select(BucketQuarantine(bucket), flags.quarantine)]
    if flags.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows), indent=1).decode() + "\n")
    elif rows:
        sys.stdout.write(columns(_HEADS, [[printable(row[head]) for head in _HEADS] for row in rows]))
    else:
        sys.stdout.write(f"nothing in the quarantine matches: {bucket.description}\n")
    return OK


def _row(found: Found) -> dict[str, Any]:
    record = found.record
    return {
        "id": shown_id(found.id),
        "log_id": found.id.log_id,
        "partition": found.id.partition,
        "offset": found.id.offset,
        "time": rfc3339(record.append_time) if record else "",
        "tenant": found.tenant,
        "bytes": len(record.value) if record else 0,
        "reason": found.reason,
    }


def _drop(flags: Flags, _settings: Settings, bucket: Bucket) -> int:
    quarantine = BucketQuarantine(bucket)
    quarantine.finish_settled()
    now_ms = SystemClock().now_ms()

    def drop(found: Found) -> str:
        if found.record is not None:
            settled = Settled.of(found.record, "dropped", now_ms)
        else:
            settled = Settled(*found.id, "dropped", now_ms, reason=found.reason)
        quarantine.settle(settled)
        return shown_id(found.id)

    count = 0
    chosen = select(quarantine, flags.quarantine)
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="drop") as pool:
        while some := list(islice(chosen, _AT_A_TIME)):
            for dropped in pool.map(drop, some):
                count += 1
                sys.stdout.write(f"dropped {dropped}\n")
    sys.stdout.write(f"{count} dropped\n")
    return OK


_ACTIONS: dict[str, Callable[[Flags, Settings, Bucket], int]] = {
    "list": _list,
    "show": show,
    "replay": replay,
    "drop": _drop,
}
