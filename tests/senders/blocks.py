"""What a bucket's blocks hold, by tenant."""

import json
import tempfile
from pathlib import Path

from tests.e2e.samples import Samples, blocks_in, load


def stored_by(bucket: Path) -> dict[str, Samples]:
    """A sample that two blocks hold, after a sender's retry, is in both: each list is of the copies."""
    found: dict[str, Samples] = {}
    for block in blocks_in(bucket):
        meta = json.loads((block / "meta.json").read_text())
        tenant = found.setdefault(meta["thanos"]["labels"]["tenant_id"], {})
        with tempfile.TemporaryDirectory() as alone:
            (Path(alone) / block.name).symlink_to(block)
            for key, copies in load(Path(alone)).items():
                tenant.setdefault(key, []).extend(copies)
    return found
