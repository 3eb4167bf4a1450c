"""The label sets of a load: pods and paths of a cluster, ten labels of about 280 bytes as they come by default."""

SERIES_OF_A_TARGET = 500
_GOLDEN = 0.6180339887498949
# What tells series apart comes first, so that a load of few labels has as many series.
_ORDER = (
    "__name__",
    "instance",
    "handler",
    "pod",
    "job",
    "method",
    "namespace",
    "cluster",
    "container",
    "status_code",
)
LEAST_LABELS = 4
"""Of which the fourth, the pod, is what churn changes."""


def labels_of(index: int, count: int = 10, generation: int = 0, replica: str = "") -> dict[str, str]:
    """Ascending by name; series of one target share all but the last few. With a replica there is one label more."""
    target, metric = divmod(index, SERIES_OF_A_TARGET)
    pod = f"checkout-{target % 17}-7d9f8b6c5d-{target * 2654435761 & 0xFFFFF:05x}"
    labels = {
        "__name__": f"bench_requests_handled_{metric % 125:03}_total",
        "cluster": "eu-west-1-prod",
        "container": f"checkout-{target % 17}",
        "handler": f"/api/v2/orders/{metric // 125}/items",
        "instance": f"10.{target >> 16 & 255}.{target >> 8 & 255}.{target & 255}:9090",
        "job": f"pods-{target % 29}",
        "method": ("GET", "POST", "PUT", "DELETE")[metric % 4],
        "namespace": f"team-{target % 23}-prod",
        "pod": f"{pod}-{generation}" if generation else pod,
        "status_code": ("200", "404", "500")[metric % 3],
    }
    if count < len(_ORDER):
        labels = {name: labels[name] for name in sorted(_ORDER[:count])}
    elif count > len(_ORDER):
        for number in range(len(_ORDER), count):
            labels[f"node_label_{number:02}"] = f"zone-{number}-{target % (number - 7):03}"
        labels = dict(sorted(labels.items()))
    if replica:
        labels = dict(sorted((labels | {"__replica__": replica}).items()))
    return labels


def generation_of(index: int, hours: float, churn: float) -> int:
    """How often this series has been replaced, `churn` of all an hour; a target's go together, as with a new pod."""
    target = index // SERIES_OF_A_TARGET
    return int(hours * churn + target * _GOLDEN % 1.0)
