"""Label sets out of attributes: of the data point, its scope and its resource."""

from collections.abc import Callable, Collection, Iterable

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from gateway.otlp.names import Namer
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.untranslatable import Untranslatable
from gateway.otlp.values import text

_NAMESPACE, _SERVICE, _INSTANCE = "service.namespace", "service.name", "service.instance.id"
_IDENTIFYING = (_NAMESPACE, _SERVICE, _INSTANCE)
_METRIC_NAME = "__name__"


class Labeller:
    """Makes the labels of one resource and one scope after another; empty values make no label.

    What wins, from the weakest: promoted resource attributes, the point's own attributes, job and instance, the scope.
    """

    def __init__(self, settings: OtlpSettings, namer: Namer) -> None:
        self._settings = settings
        self._namer = namer
        self._name_of = namer.label if settings.escapes else _as_it_is
        self._ignored = frozenset(settings.ignore_resource_attributes)
        self._wanted = frozenset(settings.promote_resource_attributes)
        self._promoted: list[tuple[str, str]] = []
        self._target: dict[str, str] = {}
        self._fixed: dict[str, str] = {}
        self._cleared: list[str] = []

    def enter_resource(self, resource: Resource) -> None:
        """Raises Untranslatable at a promoted attribute without a name: the resource cannot be entered then."""
        attributes: dict[str, str] = {}
        for each in resource.attributes:
            attributes.setdefault(each.key, text(each.value))
        self._target = {}
        if _SERVICE in attributes:
            namespace = f"{attributes[_NAMESPACE]}/" if _NAMESPACE in attributes else ""
            self._target["job"] = namespace + attributes[_SERVICE]
        if _INSTANCE in attributes:
            self._target["instance"] = attributes[_INSTANCE]
        self._target = {name: value for name, value in self._target.items() if value}
        self._fixed, self._cleared = self._target, []
        promoted: dict[str, str] = {}
        for key, value in attributes.items():
            if key not in self._ignored if self._settings.promote_all_resource_attributes else key in self._wanted:
                promoted[self._namer.label(key)] = value
        self._promoted = [(name, value) for name, value in promoted.items() if value]

    def enter_scope(self, scope: InstrumentationScope, schema_url: str) -> None:
        """Raises Untranslatable at an attribute without a name: the scope cannot be entered then."""
        self._fixed, self._cleared = self._target, []
        if not self._settings.promote_scope_metadata or not scope.name:
            return
        named = {self._namer.label(f"otel_scope_{each.key}"): text(each.value) for each in scope.attributes}
        labels = {name: value for name, value in named.items() if value} | {
            "otel_scope_name": scope.name,
            "otel_scope_version": scope.version,
            "otel_scope_schema_url": schema_url,
        }
        self._cleared = [name for name, value in labels.items() if not value]
        self._fixed = self._target | {name: value for name, value in labels.items() if value}

    def series(self, attributes: Iterable[KeyValue]) -> dict[str, str]:
        """All labels but `__name__`; the caller may change them. Raises Untranslatable at a name that has none."""
        labels = self._of(attributes)
        for name, value in self._promoted:
            if name not in labels:
                labels[name] = value
        labels.update(self._fixed)
        for name in self._cleared:
            labels.pop(name, None)
        return labels

    def target_info(self, resource: Resource) -> dict[str, str]:
        """The labels of the resource's target_info, or none where that would say nothing.

        Raises:
            Untranslatable: at an attribute without a name.
        """
        keys = {each.key for each in resource.attributes}
        if keys.issubset(_IDENTIFYING):
            return {}
        left_out = () if self._settings.keep_identifying_resource_attributes else _IDENTIFYING
        labels = self._of(resource.attributes, left_out) | self._target
        return labels if "job" in labels or "instance" in labels else {}

    def _of(self, attributes: Iterable[KeyValue], left_out: Collection[str] = (_METRIC_NAME,)) -> dict[str, str]:
        labels: dict[str, str] = {}
        name_of = self._name_of
        for each in attributes:
            key = each.key
            if key in left_out:
                continue
            name = name_of(key)
            if name in labels:
                return _joined(attributes, left_out, name_of)
            any_value = each.value
            labels[name] = any_value.string_value or text(any_value)
        if "" in labels.values():
            labels = {name: value for name, value in labels.items() if value}
        return labels


def _joined(attributes: Iterable[KeyValue], left_out: Collection[str], name_of: Callable[[str], str]) -> dict[str, str]:
    """As `_of`, where attributes share a name: their values in the order of their keys, with `;` between."""
    pairs = sorted(((each.key, text(each.value)) for each in attributes if each.key not in left_out), key=_key)
    labels: dict[str, str] = {}
    for key, value in pairs:
        name = name_of(key)
        before = labels.get(name)
        if before or value:
            labels[name] = f"{before};{value}" if before else value
    return labels


def _key(pair: tuple[str, str]) -> str:
    return pair[0]


def _as_it_is(key: str) -> str:
    if not key:
        raise Untranslatable("attribute without a name")
    return key
