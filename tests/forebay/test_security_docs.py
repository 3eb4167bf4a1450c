"""The page on security agrees with the code: every key of the web config, every path of tenants, every client type."""

import re
from pathlib import Path
from typing import get_args

import msgspec

from forebay.web_access import TENANT_PATHS
from forebay.web_config import CURVES, ClientAuth, HttpServerConfig, RateLimitConfig, TlsServerConfig, WebConfig

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text()
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "tls_server_config": TlsServerConfig,
    "http_server_config": HttpServerConfig,
    "rate_limit": RateLimitConfig,
}


def test_every_key_of_the_web_config_is_documented() -> None:
    documented = set()
    for row in re.findall(r"^\| (`[^|]*`) \| ", PAGE.partition("## web.config.file")[2], re.MULTILINE):
        names = re.findall(r"`([a-z0-9_.]+)`", row)
        section = names[0].rpartition(".")[0] if names else ""
        if section in SECTIONS or names[:1] == ["basic_auth_users"]:
            documented |= {name if "." in name or not section else f"{section}.{name}" for name in names}
    known = {f"{section}.{name}" for section, kind in SECTIONS.items() for name in kind.__struct_fields__}
    assert documented == known | set(WebConfig.__struct_fields__) - set(SECTIONS)


def test_every_choice_is_named() -> None:
    for choice in {*get_args(ClientAuth), *CURVES} - {""}:
        assert f"`{choice}`" in PAGE


def test_every_path_of_tenants_is_named() -> None:
    sentence = PAGE.partition("gets the endpoints that are for tenants: ")[2].partition(". All others")[0]
    assert set(re.findall(r"`([^`]+)`", sentence)) == TENANT_PATHS
