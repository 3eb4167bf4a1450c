"""`prepare.py SETTINGS_FILE`: makes the bucket and the topic that the settings name, where they are missing.

May be run again. A bucket is made only here, for a store that is new: in earnest its owner makes it, with its policies.
"""

import asyncio
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from broker.open import open_writer
from broker.settings import BrokerSettings
from bucket.s3_client import make_clients
from bucket.s3_settings import S3Config
from forebay.clock import SystemClock
from forebay.errors import ForebayError
from forebay.settings_file import load_settings


def main(file: str) -> int:
    """Returns the exit code."""
    try:
        settings = load_settings(Path(file))
        if settings.bucket is not None and settings.bucket.kind == "S3":
            make_bucket(settings.bucket.s3())
        asyncio.run(make_topic(settings.broker))
    except (ForebayError, BotoCoreError, ClientError) as error:
        sys.stderr.write(f"prepare: {error}\n")
        return 1
    return 0


def make_bucket(config: S3Config) -> None:
    """One that is there, and ours, is left as it is."""
    try:
        make_clients(config).patient.create_bucket(Bucket=config.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


async def make_topic(settings: BrokerSettings) -> None:
    """As a gateway does at its start, by `broker.kafka.create_topic`; it checks one that is there."""
    log = await asyncio.to_thread(open_writer, settings, Path("log"), SystemClock())
    await log.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
