from pathlib import Path

import msgspec
import pytest
import yaml

from bucket.open import open_bucket
from bucket.settings import BucketSettings


def read(text: str) -> BucketSettings:
    return msgspec.convert(yaml.safe_load(text), BucketSettings)


def test_thanos_own_file_is_read(tmp_path: Path) -> None:
    settings = read(f'type: FILESYSTEM\nconfig:\n  directory: "{tmp_path}"\nprefix: ""\n')
    bucket = open_bucket(settings)
    bucket.put("a/b", b"")
    assert (tmp_path / "a" / "b").exists()
    assert bucket.description == f"filesystem directory={tmp_path}"


def test_everything_lies_below_the_prefix(tmp_path: Path) -> None:
    bucket = open_bucket(read(f"{{type: filesystem, config: {{directory: {tmp_path}}}, prefix: /team/metrics/}}"))
    bucket.put("a", b"")
    assert (tmp_path / "team" / "metrics" / "a").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{type: GCS, config: {}}", "known to Thanos but not to forebay"),
        ("{type: FTP, config: {}}", "'FTP' is unknown; use S3 or FILESYSTEM"),
        ("{type: FILESYSTEM}", "missing required field `directory`"),
        ("{type: FILESYSTEM, config: {directory: ''}}", "Expected a directory"),
        ("{type: FILESYSTEM, config: {directory: 5}}", r"Expected `str`, got `int` - at `\$.directory`"),
        ("{type: FILESYSTEM, config: {directory: d, bucket: b}}", "unknown field `bucket`"),
        ("{type: FILESYSTEM, config: {directory: d}, prefix: a/../b}", "prefix: .*relative part"),
        ("{type: FILESYSTEM, config: {directory: d}, prefx: a}", "unknown field `prefx`"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        read(text)
