"""deploy/kubernetes against Kubernetes' and KEDA's schemas, and against our own settings, flags, ports and routes."""

import json
import re
from collections.abc import Callable
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from forebay.flags import LISTEN, parse_flags
from forebay.scenarios.calibration import Calibration
from forebay.scenarios.forebay_design import held
from forebay.scenarios.scaling import BEHAVIORS
from forebay.settings import Settings, host_and_port
from forebay.settings_file import parse_settings
from forebay.units import Size
from tests.deploy.compose import ROOT
from tests.deploy.dockerfile import stages
from tests.deploy.manifests import DIRECTORY, Manifests, Workload
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.peer("kustomize")]
ROLES = ("gateway", "consumer", "compactor")
VERSIONS = ("1.31", "1.34", "1.37")
"""Of Kubernetes: what is widely run, and the newest."""


@pytest.fixture(scope="module")
def manifests(peer: Callable[[str], Recipe]) -> Manifests:
    return Manifests(peer("kustomize"))


@pytest.fixture(params=ROLES)
def workload(request: pytest.FixtureRequest, manifests: Manifests) -> Workload:
    return manifests.workloads[request.param]


def settings_of(manifests: Manifests, workload: Workload) -> Settings:
    """As the pod reads them: from the map that it mounts, and with its own variables alone."""
    (volume,) = (each["configMap"]["name"] for each in workload.pod["volumes"] if "configMap" in each)
    (mount,) = (each["mountPath"] for each in workload.container["volumeMounts"] if each["name"] == "settings")
    file = parse_flags(workload.container["args"]).config_file
    assert file is not None
    assert str(file.parent) == mount
    text = manifests.one("ConfigMap", volume)["data"][file.name]
    return parse_settings(text, workload.variables)


def test_every_file_is_named_by_the_kustomization() -> None:
    kustomization = yaml.safe_load((DIRECTORY / "kustomization.yaml").read_text())
    named = {*kustomization["resources"], *kustomization["configMapGenerator"][0]["files"], "kustomization.yaml"}
    assert named == {path.name for path in DIRECTORY.iterdir()}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str, manifests: Manifests) -> None:
    own = [document for document in manifests.documents if document["kind"] != "ScaledObject"]
    assert len(own) == len(manifests.documents) - 1
    for document in own:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_seen(manifests: Manifests) -> None:
    document = json.loads(json.dumps(manifests.one("Deployment", "forebay-gateway")))
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A resource's schema, refusing what Kubernetes would silently drop."""
    made = {name: strict(value) if isinstance(value, dict) else value for name, value in schema.items()}
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@pytest.fixture(scope="module")
def scaled_object(peer: Callable[[str], Recipe]) -> dict[str, Any]:
    definition = yaml.safe_load(peer("keda").program("scaledobjects").read_text())
    (version,) = definition["spec"]["versions"]
    assert version["name"] == "v1alpha1"
    schema = version["schema"]["openAPIV3Schema"]
    metadata = {"type": "object"}  # the API server's own
    return strict(schema | {"properties": schema["properties"] | {"metadata": metadata}})


@pytest.mark.peer("keda")
def test_keda_knows_every_field_of_the_scaler(manifests: Manifests, scaled_object: dict[str, Any]) -> None:
    document = manifests.one("ScaledObject", "forebay-consumer")
    jsonschema.validate(document, scaled_object)
    document = json.loads(json.dumps(document))
    document["spec"]["maxReplicas"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, scaled_object)


@pytest.mark.peer("keda")
def test_keda_knows_the_trigger(manifests: Manifests, peer: Callable[[str], Recipe]) -> None:
    (trigger,) = manifests.one("ScaledObject", "forebay-consumer")["spec"]["triggers"]
    scalers = json.loads(peer("keda").program("scalers").read_text())["scalers"]
    (known,) = (
        {each["name"]: each for each in scaler["parameters"]} for scaler in scalers if scaler["type"] == trigger["type"]
    )
    for name, value in trigger["metadata"].items():
        assert isinstance(value, str), name  # KEDA takes nothing else
        assert value in (known[name].get("allowedValue") or [value])


def test_the_scaler_asks_for_a_metric_of_ours(manifests: Manifests) -> None:
    (trigger,) = manifests.one("ScaledObject", "forebay-consumer")["spec"]["triggers"]
    (metric,) = re.findall(r"forebay_\w+", trigger["metadata"]["query"])
    assert f"| `{metric}` | counter |" in (ROOT / "docs" / "metrics.md").read_text()


def test_the_scaler_asks_no_more_of_a_consumer_than_it_can_hold(manifests: Manifests) -> None:
    spec = manifests.one("ScaledObject", "forebay-consumer")["spec"]
    settings = settings_of(manifests, manifests.workloads["consumer"])
    topic = settings.broker.kafka.create_topic
    assert topic is not None
    assert spec["minReplicaCount"] >= 2
    assert spec["maxReplicaCount"] * 4 <= topic.partitions
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] >= 2 * settings.segment.interval.seconds
    given = Calibration()
    rate = int(spec["triggers"][0]["metadata"]["threshold"])
    opened = topic.partitions / spec["minReplicaCount"] * settings.segment.max_bytes / given.record_sample
    heads = held(given, 1, rate * given.scrape_seconds, opened) - given.consumer_base
    assert 0.9 * settings.consumer.memory < heads <= settings.consumer.memory
    assert rate < given.busy * given.consumer_rate


def test_the_scaler_is_the_one_that_was_compared(manifests: Manifests) -> None:
    behavior = BEHAVIORS["slow"]
    spec = manifests.one("ScaledObject", "forebay-consumer")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (behavior.least, behavior.most)
    rules = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    for rule, window, pods, period in (
        (rules["scaleUp"], behavior.up_window, behavior.up_pods, behavior.up_period),
        (rules["scaleDown"], behavior.down_window, behavior.down_pods, behavior.down_period),
    ):
        assert rule["stabilizationWindowSeconds"] == window
        assert rule["policies"] == [{"type": "Pods", "value": pods, "periodSeconds": period}]


def test_scalers_and_budgets_mean_what_is_there(manifests: Manifests) -> None:
    targets = [
        each["spec"]["scaleTargetRef"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for each in manifests.of(kind)
    ]
    assert len(targets) == 2
    for target in targets:
        document = manifests.one(target["kind"], target["name"])
        assert document["apiVersion"] == target["apiVersion"]
        assert "replicas" not in document["spec"]  # or every `apply` would undo the scaler
    for budget in manifests.of("PodDisruptionBudget"):
        workload = manifests.workloads[budget["metadata"]["name"].removeprefix("forebay-")]
        assert budget["spec"]["selector"]["matchLabels"].items() <= workload.labels.items()


def test_selectors_find_the_pods_and_no_others(workload: Workload, manifests: Manifests) -> None:
    service = manifests.one("Service", workload.name)
    for selector in (workload.document["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        found = [role for role, each in manifests.workloads.items() if selector.items() <= each.labels.items()]
        assert found == [workload.role]
    for spread in workload.pod.get("topologySpreadConstraints", []):
        assert spread["labelSelector"]["matchLabels"].items() <= workload.labels.items()
    if workload.document["kind"] == "StatefulSet":
        assert workload.document["spec"]["serviceName"] == service["metadata"]["name"]
        assert service["spec"]["clusterIP"] == "None"


def test_flags_settings_and_variables_are_ours(workload: Workload, manifests: Manifests) -> None:
    flags = parse_flags(workload.container["args"])
    assert flags.command == workload.role
    settings = settings_of(manifests, workload)
    assert settings.broker.type == "kafka"
    assert settings.bucket is not None
    assert settings.bucket.kind == "S3"
    text = (DIRECTORY / "forebay.yaml").read_text()
    used = set(re.findall(r"\$\{([A-Z_]+)\}", re.sub(r"#.*", "", text)))
    assert used == set(workload.variables)
    writable = {each["mountPath"] for each in workload.container["volumeMounts"] if not each.get("readOnly")}
    assert writable == {str(flags.data_dir), "/tmp"}
    assert flags.data_dir.as_posix() == stages(ROOT / "Dockerfile")[-1].last("VOLUME")


def test_volumes_and_secrets_are_named_once_and_the_same(workload: Workload) -> None:
    volumes = {each["name"] for each in workload.pod["volumes"]}
    assert {each["name"] for each in workload.container["volumeMounts"]} == volumes
    secrets = {
        (reference["name"], reference["key"])
        for each in workload.container["env"]
        if (reference := each["valueFrom"].get("secretKeyRef"))
    }
    told = (DIRECTORY / "kustomization.yaml").read_text()
    for name, key in secrets:
        assert f"secret generic {name}" in told
        assert f"--from-literal={key}=" in told


def test_ports_are_where_the_role_listens(workload: Workload, manifests: Manifests) -> None:
    (port,) = workload.container["ports"]
    assert port["containerPort"] == host_and_port(LISTEN[workload.role])[1]
    (served,) = manifests.one("Service", workload.name)["spec"]["ports"]
    assert served["port"] == port["containerPort"]
    assert served["targetPort"] == port["name"]
    annotations = workload.document["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_probes_ask_for_what_is_there(workload: Workload, answer_of: Callable[[str, str], int]) -> None:
    probes = {name: workload.container[f"{name}Probe"]["httpGet"] for name in ("readiness", "liveness")}
    assert [probe["path"] for probe in probes.values()] == ["/-/ready", "/-/healthy"]
    for probe in probes.values():
        assert probe["port"] == workload.container["ports"][0]["name"]
        assert answer_of(workload.role, probe["path"]) == 200


def test_a_pod_may_drain_before_it_is_killed(workload: Workload, manifests: Manifests) -> None:
    settings = settings_of(manifests, workload)
    longest = settings.web.drain_delay + settings.web.shutdown_timeout
    longest += {"consumer": settings.consumer.drain_timeout, "gateway": settings.gateway.append_timeout}.get(
        workload.role, 0
    )
    assert workload.pod["terminationGracePeriodSeconds"] * 1000 > longest
    # Unready is seen, and told to every node, before connections are refused.
    probe = workload.container["readinessProbe"]
    assert settings.web.drain_delay.seconds >= probe["periodSeconds"] * probe["failureThreshold"]


def test_memory_holds_what_the_settings_allow(workload: Workload, manifests: Manifests) -> None:
    settings = settings_of(manifests, workload)
    allowed = {
        "gateway": settings.gateway.in_flight_bytes + settings.broker.kafka.queue_bytes,
        "consumer": settings.consumer.memory + settings.query.memory + settings.broker.kafka.fetch_bytes * 3 // 2,
        "compactor": 0,
    }[workload.role]
    limit = Size.parse(f"{workload.container['resources']['limits']['memory']}B")
    assert limit >= allowed + Size.parse("256MiB")


def test_each_consumer_is_a_member_of_its_own_name(manifests: Manifests) -> None:
    workload = manifests.workloads["consumer"]
    assert workload.document["kind"] == "StatefulSet"
    assert workload.document["spec"]["podManagementPolicy"] == "Parallel"
    (name,) = (each["valueFrom"] for each in workload.container["env"] if each["name"] == "POD_NAME")
    assert name == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert settings_of(manifests, workload).consumer.member == "forebay-consumer-0"


def test_there_is_one_compactor(manifests: Manifests) -> None:
    assert manifests.workloads["compactor"].document["spec"]["replicas"] == 1


def test_pods_have_no_rights(workload: Workload) -> None:
    """What the namespace enforces as `restricted`, and a root that cannot be written."""
    assert workload.pod["securityContext"]["runAsNonRoot"] is True
    user = workload.pod["securityContext"]["runAsUser"]
    assert stages(ROOT / "Dockerfile")[-1].last("USER") == f"{user}:{workload.pod['securityContext']['runAsGroup']}"
    assert workload.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert workload.pod["automountServiceAccountToken"] is False
    assert workload.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_image_is_the_one_that_compose_builds(workload: Workload) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert workload.container["image"] == compose["services"]["gateway"]["image"]
