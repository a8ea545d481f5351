"""Our client over TLS: whom it believes, what it shows, and what it will not speak; certificates are made here."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import skerry
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from skerry.edge import EdgeExecutionConfig, EdgeExecutionManager, doctor

from tests.e2e import servers


@dataclass(frozen=True)
class Certificate:
    """One that was made, with its key."""

    made: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        return self.made.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def certificate(name: str, issuer: Certificate | None = None, names: tuple[str, ...] = ()) -> Certificate:
    """For these names and addresses, signed by `issuer` or by itself; without any it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now, day = datetime.now(UTC), timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(issuer.made.subject if issuer else who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    )
    if names:
        told: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(told), critical=False)
    return Certificate(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def tls(folder: Path, chain: tuple[Certificate, ...], name: str = "server") -> tuple[str, ...]:
    """Words for a server that shows this chain, the first being its own."""
    (folder / f"{name}.pem").write_bytes(b"".join(one.pem() for one in chain))
    (folder / f"{name}.key").write_bytes(chain[0].key_pem())
    return ("--tls-cert", str(folder / f"{name}.pem"), "--tls-key", str(folder / f"{name}.key"))


def ask(folder: Path, address: str, authority: Certificate, certificate: str = "", key: str = "") -> Any:
    """A run at an address, believing one authority."""
    return EdgeExecutionManager(config(folder, address, authority, certificate, key)).compile_and_execute(
        [{"gate": "H", "qubit": 0}], {"shots": 3}
    )


def config(folder: Path, address: str, authority: Certificate, certificate: str, key: str) -> EdgeExecutionConfig:
    """What such a run needs."""
    (folder / "believed.pem").write_bytes(authority.pem())
    return EdgeExecutionConfig(
        max_memory_mb=0,
        cloud_endpoint=f"https://{address}",
        cloud_authorities=str(folder / "believed.pem"),
        cloud_certificate=certificate,
        cloud_key=key,
        cloud_timeout=10,
    )


def test_a_server_of_the_authority_is_spoken_to_by_tls_1_3(tmp_path: Path) -> None:
    authority = certificate("authority")
    chain = (certificate("server", authority, ("localhost", "127.0.0.1")),)
    with servers.serving(tmp_path, *tls(tmp_path, chain)) as server:
        for host in ("localhost", "127.0.0.1"):
            address = f"{host}:{server.port}"
            assert ask(tmp_path, address, authority).execution_method == "cloud"
            steps = {step.name: step for step in doctor(config(tmp_path, address, authority, "", ""))}
            assert steps["TLS"].ok
            assert steps["TLS"].finding.startswith("TLSv1.3, ")


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("elsewhere.example",), "localhost"),
        (("localhost",), "127.0.0.1"),  # a name is no address
        (("127.0.0.1",), "localhost"),
        (("127.0.0.2",), "127.0.0.1"),
        (("*.localhost",), "localhost"),  # a wildcard stands for one label, not for none
    ],
)
def test_a_certificate_for_another_name_is_refused(tmp_path: Path, names: tuple[str, ...], host: str) -> None:
    authority = certificate("authority")
    chain = (certificate("server", authority, names),)
    with (
        servers.serving(tmp_path, *tls(tmp_path, chain)) as server,
        pytest.raises(skerry.Unavailable, match=r"(?i)certificate verify failed|mismatch"),
    ):
        ask(tmp_path, f"{host}:{server.port}", authority)


def test_an_authority_that_is_not_believed_is_refused_and_so_is_a_certificate_of_ones_own(tmp_path: Path) -> None:
    authority, stranger = certificate("authority"), certificate("authority")  # of the same name, with another key
    alone = certificate("server", None, ("localhost",))
    for chain in ((certificate("server", stranger, ("localhost",)),), (alone,)):
        with servers.serving(tmp_path, *tls(tmp_path, chain)) as server:
            with pytest.raises(skerry.Unavailable, match="certificate"):
                ask(tmp_path, f"localhost:{server.port}", authority)
            with pytest.raises(skerry.Unavailable, match="certificate"):  # nor do the system's authorities know it
                EdgeExecutionManager(
                    EdgeExecutionConfig(max_memory_mb=0, cloud_endpoint=f"https://localhost:{server.port}")
                ).compile_and_execute([{"gate": "H", "qubit": 0}])


def test_an_authority_in_between_is_believed_if_it_is_shown(tmp_path: Path) -> None:
    authority = certificate("authority")
    between = certificate("between", authority)
    own = certificate("server", between, ("localhost",))
    with servers.serving(tmp_path, *tls(tmp_path, (own, between))) as server:
        assert ask(tmp_path, f"localhost:{server.port}", authority).execution_method == "cloud"
    with servers.serving(tmp_path, *tls(tmp_path, (own,))) as server, pytest.raises(skerry.Unavailable):
        ask(tmp_path, f"localhost:{server.port}", authority)


def test_a_client_shows_its_certificate_from_one_file_or_two(tmp_path: Path) -> None:
    authority, stranger = certificate("authority"), certificate("stranger")
    words = tls(tmp_path, (certificate("server", authority, ("localhost",)),))
    (tmp_path / "authority.pem").write_bytes(authority.pem())
    own = certificate("client", authority, ("client",))
    tls(tmp_path, (own,), "client")
    tls(tmp_path, (certificate("client", stranger, ("client",)),), "other")
    (tmp_path / "both.pem").write_bytes(own.pem() + own.key_pem())
    with servers.serving(tmp_path, *words, "--tls-client-ca", tmp_path / "authority.pem") as server:
        address = f"localhost:{server.port}"
        for shown, key in (("client.pem", "client.key"), ("both.pem", "")):
            files = (str(tmp_path / shown), str(tmp_path / key) if key else "")
            assert ask(tmp_path, address, authority, *files).execution_method == "cloud"
        with pytest.raises(skerry.InvalidArgument, match="cloud_key"):  # of another certificate
            ask(tmp_path, address, authority, str(tmp_path / "client.pem"), str(tmp_path / "other.key"))
        for name in ("", "other"):
            files = (str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.key")) if name else ("", "")
            with pytest.raises(skerry.Unavailable):
                ask(tmp_path, address, authority, *files)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the version that is too old
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1])
def test_tls_1_2_is_spoken_and_nothing_older(tmp_path: Path, version: ssl.TLSVersion) -> None:
    authority = certificate("authority")
    tls(tmp_path, (certificate("server", authority, ("localhost",)),))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    spoken: list[str | None] = []

    def serve(door: socket.socket) -> None:
        while True:
            try:
                plain, _ = door.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as made:
                    spoken.append(made.version())
            except (ssl.SSLError, OSError):
                spoken.append(None)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, args=(door,), daemon=True)
        thread.start()
        with pytest.raises(skerry.Unavailable):
            ask(tmp_path, f"localhost:{door.getsockname()[1]}", authority)
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert spoken
    assert set(spoken) == ({"TLSv1.2"} if version == ssl.TLSVersion.TLSv1_2 else {None})
