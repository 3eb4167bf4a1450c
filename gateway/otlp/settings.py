"""How OTLP metrics become series; named as in the `otlp` section of Prometheus' configuration. Frozen and strict."""

from typing import Literal

import msgspec

Strategy = Literal[
    "UnderscoreEscapingWithSuffixes",
    "UnderscoreEscapingWithoutSuffixes",
    "NoUTF8EscapingWithSuffixes",
    "NoTranslation",
]


class OtlpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of names, attributes and histograms; a change makes other series of the same data."""

    translation_strategy: Strategy = "UnderscoreEscapingWithSuffixes"
    """Whether names keep every character, and whether units and types are appended to metric names."""
    promote_resource_attributes: tuple[str, ...] = ()
    """Resource attributes that every series of the resource carries as labels."""
    promote_all_resource_attributes: bool = False
    """Every resource attribute is promoted, but those of ignore_resource_attributes."""
    ignore_resource_attributes: tuple[str, ...] = ()
    keep_identifying_resource_attributes: bool = False
    """target_info carries service.namespace, service.name and service.instance.id too, besides job and instance."""
    convert_histograms_to_nhcb: bool = False
    """Explicit-bounds histograms become native histograms with custom buckets instead of classic series."""
    promote_scope_metadata: bool = False
    """Series carry the name, version, schema URL and attributes of their scope as otel_scope_ labels."""
    label_name_underscore_sanitization: bool = True
    """A label name that begins with one underscore gets `key` before it; only where names are escaped."""
    label_name_preserve_multiple_underscores: bool = True
    """Runs of underscores in label names stay; only where names are escaped."""
    native_delta_ingestion: bool = False
    """Delta points are stored as they come, of unknown type, as with Prometheus' feature flag; otherwise refused."""

    def __post_init__(self) -> None:
        if self.promote_all_resource_attributes and self.promote_resource_attributes:
            raise ValueError("promote_all_resource_attributes and promote_resource_attributes exclude each other")
        if self.ignore_resource_attributes and not self.promote_all_resource_attributes:
            raise ValueError("ignore_resource_attributes needs promote_all_resource_attributes")
        for names in (self.promote_resource_attributes, self.ignore_resource_attributes):
            if not all(name.strip() == name and name for name in names):
                raise ValueError("a resource attribute must have a name, without blanks around it")
            if len(set(names)) < len(names):
                raise ValueError("a resource attribute stands twice in one list")

    @property
    def escapes(self) -> bool:
        """Names are made of ASCII letters, digits, underscores and colons."""
        return self.translation_strategy.startswith("UnderscoreEscaping")

    @property
    def adds_suffixes(self) -> bool:
        """Metric names end in their unit, and in _total or _ratio."""
        return self.translation_strategy.endswith("WithSuffixes")
