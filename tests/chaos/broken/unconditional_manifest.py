"""A build whose manifest goes over the one that stands: whoever is last decides where a segment ended."""

import sys

from bucket.layout import manifest_key
from bucket.manifest import Manifest
from bucket.manifests import ManifestStore
from forebay.main import main


def create(self: ManifestStore, manifest: Manifest) -> Manifest:
    self._bucket.put(manifest_key(manifest.log_id, manifest.partition, manifest.start), manifest.encode())
    return manifest


if __name__ == "__main__":
    ManifestStore.create = create  # type: ignore[method-assign]
    sys.exit(main())
