"""mTLS that ends at a proxy: its header counts only together with a word that only it knows."""

from __future__ import annotations

import pytest
from cryptography.x509 import DNSName

from hookcatch.core.errors import ConfigurationError, Rejected
from hookcatch.core.wire import Request
from hookcatch.providers import mtls, provider
from hookcatch.providers.terminated import EscapedPem
from support.senders import NOW, certificate, event, secret, signed

WORD = "a word of the proxy".replace(" ", "-")
NGINX = mtls(
    certificate=EscapedPem("x-ssl-client-cert"),
    word="X-From-Nginx",
    verified="X-SSL-Client-Verify",
    name="nginx",
)


def test_a_header_alone_proves_nothing() -> None:
    request = signed("mtls")
    for changed in (
        request.replace(headers=[pair for pair in request.headers if pair[0] != b"x-proxy-secret"]),
        request.with_header("x-proxy-secret", "canary-of-a-word-1"),
    ):
        with pytest.raises(Rejected, match="signature"):
            provider("mtls").verify(changed, secret=secret("mtls"), now=NOW)


@pytest.mark.parametrize(
    "given", [WORD, f"sha256:{'0' * 64}", certificate(0).replace("\n", "").replace(" ", "")]
)
def test_a_secret_without_both_of_its_parts_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="a word that only your proxy knows"):
        provider("mtls").bind(given)


def test_a_word_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        provider("mtls").check_secrets(f"word {certificate(0)}")


def test_behind_nginx_a_verified_name_is_enough() -> None:
    pem = certificate(3, DNSName("client.example.com"))
    made: Request = NGINX.sign(event(NGINX), secret=f"{WORD} {pem}", now=NOW)
    assert made.header(b"x-ssl-client-verify") == b"SUCCESS"
    delivery = NGINX.verify(made, secret=f"{WORD} dns:client.example.com", now=NOW)
    assert (delivery.provider, delivery.id_is_signed) == ("nginx", False)
