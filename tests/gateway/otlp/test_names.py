import msgspec
import pytest

from gateway.otlp.names import Kind, Namer
from gateway.otlp.settings import OtlpSettings
from gateway.otlp.units import unit_name
from gateway.otlp.untranslatable import Untranslatable

WITH, WITHOUT = "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes"
UTF8, NONE = "NoUTF8EscapingWithSuffixes", "NoTranslation"


def namer(strategy: str = WITH, **options: bool) -> Namer:
    return Namer(msgspec.convert({"translation_strategy": strategy, **options}, OtlpSettings))


@pytest.mark.parametrize(
    ("strategy", "name", "unit", "kind", "expected"),
    [
        (WITH, "http.server.duration", "s", "other", "http_server_duration_seconds"),
        (WITH, "requests", "1", "counter", "requests_total"),
        (WITH, "requests.total", "", "counter", "requests_total"),
        (WITH, "total.requests", "", "counter", "requests_total"),
        (WITH, "load", "1", "gauge", "load_ratio"),
        (WITH, "load", "1", "other", "load"),
        (WITH, "net.io", "By/s", "gauge", "net_io_bytes_per_second"),
        (WITH, "net.bytes", "By", "gauge", "net_bytes"),
        (WITH, "things", "{widgets}", "gauge", "things"),
        (WITH, "2xx", "", "gauge", "_2xx"),
        (WITH, "a__b..c", "", "gauge", "a_b_c"),
        (WITHOUT, "a__b..c", "s", "counter", "a__b_c"),
        (WITHOUT, "2xx", "", "gauge", "_2xx"),
        (UTF8, "http.server.duration", "s", "counter", "http.server.duration_seconds_total"),
        (UTF8, "net.io", "By/s", "gauge", "net.io_bytes_per_second"),
        (UTF8, "load.ratio", "1", "gauge", "load_ratio"),
        (NONE, "größe", "s", "counter", "größe"),
    ],
)
def test_metric_names(strategy: str, name: str, unit: str, kind: Kind, expected: str) -> None:
    assert namer(strategy).metric(name, unit, kind) == expected


@pytest.mark.parametrize(("strategy", "name"), [(WITH, ""), (WITH, "日本"), (WITHOUT, "日_本"), (NONE, "")])
def test_metric_names_of_which_nothing_is_left(strategy: str, name: str) -> None:
    with pytest.raises(Untranslatable, match="metric name has no translation"):
        namer(strategy).metric(name, "", "other")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http.method", "http_method"),
        ("1st", "key_1st"),
        ("_private", "key_private"),
        ("__reserved__", "__reserved__"),
        ("a..b", "a__b"),
    ],
)
def test_label_names(name: str, expected: str) -> None:
    assert namer().label(name) == expected


def test_label_names_by_the_other_options() -> None:
    plain = namer(label_name_underscore_sanitization=False, label_name_preserve_multiple_underscores=False)
    assert [plain.label(name) for name in ("_private", "a..b__c", "__a..b__")] == ["_private", "a_b_c", "__a_b__"]
    assert namer(NONE).label("a..b") == "a..b"


@pytest.mark.parametrize(("strategy", "name"), [(WITH, ""), (WITH, "___"), (NONE, "__"), (NONE, "")])
def test_label_names_of_which_nothing_is_left(strategy: str, name: str) -> None:
    with pytest.raises(Untranslatable, match="attribute name has no translation"):
        namer(strategy).label(name)


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("s", "seconds"),
        ("By/s", "bytes_per_second"),
        ("1", ""),
        ("{requests}/min", "per_min"),
        ("/h", "per_hour"),
        ("foo bar", "foo_bar"),
        ("_x_", "x"),
        ("", ""),
    ],
)
def test_units(unit: str, expected: str) -> None:
    assert unit_name(unit) == expected
