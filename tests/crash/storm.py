"""kill -9 at random moments under load, and what must be true afterwards."""

import hashlib
import random
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.open import open_reader
from broker.record import is_version_2
from broker.settings import BrokerSettings
from tests.crash.senders import Key, Sender
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import load
from tests.wire.record_v2 import decode


def settings(record_version: int) -> dict[str, Any]:
    """Labels are written anew several times in a storm, and lie in segments before those that need them."""
    return {
        "segment": {"interval": "2s", "grace": "200ms"},
        "broker": {"embedded": {"partitions": 3}, "record_version": record_version, "label_window": "6s"},
        "self_metrics": {"enabled": False},
    }


@dataclass(frozen=True)
class Outcome:
    """What a storm left behind; `problems` is empty where every promise held."""

    kills: int
    acknowledged: int
    uncertain: int
    blocks: int
    manifests: int
    without_labels: int
    """Series entries in the log."""
    problems: tuple[str, ...]


_ENDED = re.compile(rb'"ended_by": "(idle|mark)"')


def objects(bucket: Path) -> dict[str, str]:
    """Every object of a bucket directory by its key, with the digest of its bytes.

    That a segment ended idle is the one thing in a manifest which depends on when it was built: where a next record was
    there already, the same segment ended at its mark, at the same offset.
    """
    return {
        str(path.relative_to(bucket)): hashlib.sha256(_ENDED.sub(b"", path.read_bytes())).hexdigest()
        for path in bucket.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(bucket).parts)
    }


def storm(directory: Path, rounds: int, seed: int, record_version: int = 1) -> Outcome:
    """Loads an all-in-one from three senders, kills it `rounds` times, lets it finish, and checks everything."""
    chance = random.Random(seed)
    server = ForebayServer(directory / "stormy", settings(record_version))
    server.start()
    server.ready()
    senders = [Sender(number, [server.port], f"tenant-{number % 2}", seed + number) for number in range(3)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(rounds):
            # from the middle of a start to well into a second segment
            time.sleep(chance.choice((0.3, 1.2, 2.5)) * chance.uniform(0.3, 1.3))
            server.kill()
            server.start()
        server.ready()
        time.sleep(2)
    finally:
        for sender in senders:
            sender.halt()
    server.wait_published()
    code, report = audit(server.settings_file, server.data, "--deep")
    server.stop()
    quiet = quiet_run(directory, server, record_version)
    acknowledged: dict[Key, int] = {}
    uncertain: dict[Key, int] = {}
    problems = [] if code == 0 else [f"audit failed:\n{report}"]
    for sender in senders:
        acknowledged |= sender.memory.acknowledged
        uncertain |= sender.memory.uncertain
        problems += [f"a good request was refused: {text}" for text in sender.memory.refused[:3]]
    problems += compare_samples(server.bucket, acknowledged, uncertain)
    problems += compare_objects(server.bucket, quiet.bucket)
    manifests = list((server.bucket / "forebay" / "segments").rglob("*.json"))
    return Outcome(
        rounds,
        len(acknowledged),
        len(uncertain),
        len(list(server.bucket.glob("*/meta.json"))),
        len(manifests),
        count_without_labels(server.data / "log"),
        tuple(problems),
    )


def count_without_labels(log: Path) -> int:
    """Of records of version 2."""
    reader = open_reader(BrokerSettings(), log)
    found = 0
    for partition in range(reader.partitions):
        offset = reader.start_offset(partition)
        while records := reader.read(partition, offset, 1 << 24):
            offset = records[-1].offset + 1
            for record in filter(is_version_2, records):
                read = decode(record.value)
                found += len(read.rows) + len(read.hashed)
    reader.close()
    return found


def quiet_run(directory: Path, stormy: ForebayServer, record_version: int = 1) -> ForebayServer:
    """One undisturbed process over a copy of the storm's log, into a bucket of its own."""
    quiet = ForebayServer(directory / "quiet", settings(record_version))
    quiet.data.mkdir()
    shutil.copytree(
        stormy.data / "log", quiet.data / "log", ignore=shutil.ignore_patterns("commits", "groups", "*.lock")
    )
    with quiet:
        quiet.ready()
        quiet.wait_published()
        quiet.stop()
    return quiet


def compare_samples(bucket: Path, acknowledged: dict[Key, int], uncertain: dict[Key, int]) -> list[str]:
    """Every acknowledged sample is there, as read once, with its bits; nothing is there that nobody sent."""
    stored = load(bucket)
    problems = []
    lost = [key for key in acknowledged if key not in stored]
    if lost:
        problems.append(f"{len(lost)} acknowledged samples are lost, such as {lost[:3]}")
    changed = [key for key, bits in acknowledged.items() if key in stored and set(stored[key]) != {bits}]
    if changed:
        problems.append(f"{len(changed)} samples have other bits, such as {changed[:3]}")
    sent = acknowledged.keys() | uncertain.keys()
    extra = [key for key in stored if key not in sent]
    if extra:
        problems.append(f"{len(extra)} samples were never sent, such as {extra[:3]}")
    return problems


def compare_objects(stormy: Path, quiet: Path) -> list[str]:
    """The same set of objects with the same bytes, manifests included."""
    left, right = objects(stormy), objects(quiet)
    if left == right:
        return []
    only_left, only_right = sorted(left.keys() - right.keys()), sorted(right.keys() - left.keys())
    differ = sorted(key for key in left.keys() & right.keys() if left[key] != right[key])
    return [f"buckets differ: only stormy {only_left[:5]}, only quiet {only_right[:5]}, other bytes {differ[:5]}"]
