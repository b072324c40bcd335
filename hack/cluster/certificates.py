"""The cluster's own certificate authority, its certificates and kubeconfigs.

Owns keys and certificates, written once per cluster and kept. What they are
for lies in the layers. Elliptic keys, because 2,048-bit RSA took 0.3 s each.
"""

import base64
import dataclasses
import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hack.cluster import files
from hack.cluster.errors import ClusterError

# Clusters live for hours; a year forgives one that was forgotten.
VALID = datetime.timedelta(days=365)
# Forgives a clock that was set back since.
BACKDATED = datetime.timedelta(hours=1)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


@dataclasses.dataclass(frozen=True)
class Authority:
    """The certificate authority of one cluster, and the folder of all it signed."""

    folder: Path

    @property
    def pair(self) -> Pair:
        """Its own certificate and key."""
        return _pair(self.folder, "ca")

    def server(self, name: str, addresses: Sequence[str]) -> Pair:
        """Return the serving certificate *name* for *addresses*, issued if it is not there."""
        return self._issue(name, x509.Name([_attribute(NameOID.COMMON_NAME, name)]), addresses)

    def client(self, name: str, user: str, group: str = "") -> Pair:
        """Return the client certificate *name* of a user, in a group, issued if it is not there."""
        groups = [_attribute(NameOID.ORGANIZATION_NAME, group)] if group else []
        return self._issue(name, x509.Name([*groups, _attribute(NameOID.COMMON_NAME, user)]), ())

    def _issue(self, name: str, subject: x509.Name, addresses: Sequence[str]) -> Pair:
        pair = _pair(self.folder, name)
        if pair.certificate.exists():
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.pair.certificate.read_bytes())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if addresses else [])]
        builder = _builder(subject, issuer.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if addresses:
            names = x509.SubjectAlternativeName([_alternative(address) for address in addresses])
            builder = builder.add_extension(names, critical=False)
        _write(pair, builder.sign(_load_key(self.pair.key), hashes.SHA256()), key)
        return pair


def authority(folder: Path, name: str) -> Authority:
    """Return the authority in *folder*, made if it is not there."""
    made = Authority(folder)
    if not made.pair.certificate.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([_attribute(NameOID.COMMON_NAME, f"headgate-{name}")])
        builder = _builder(subject, subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        _write(made.pair, builder.sign(key, hashes.SHA256()), key)
    return made


def signing_key(folder: Path, name: str) -> Pair:
    """Return a bare key pair, its public half as 'certificate', made if it is not there."""
    pair = Pair(certificate=folder / f"{name}.pub", key=folder / f"{name}.key")
    if not pair.certificate.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(pair.key, key)
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        files.write(pair.certificate, key.public_key().public_bytes(serialization.Encoding.PEM, public))
    return pair


def write_kubeconfig(path: Path, server: str, authority: Authority, client: Pair) -> Path:
    """Write a kubeconfig that needs no other file."""
    trust = {"server": server, "certificate-authority-data": _data(authority.pair.certificate)}
    user = {"client-certificate-data": _data(client.certificate), "client-key-data": _data(client.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": trust}],
        "users": [{"name": "local", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local", "namespace": "default"}}],
        "current-context": "local",
    }
    files.write(path, json.dumps(content, indent=1), mode=0o600)
    return path


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _pair(folder: Path, name: str) -> Pair:
    return Pair(certificate=folder / f"{name}.crt", key=folder / f"{name}.key")


def _attribute(kind: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(kind, value)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - BACKDATED).not_valid_after(now + VALID)


def _alternative(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ClusterError(f"{path} is not a key of ours: take the cluster down and start it anew")
    return key


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    files.write(path, pem, mode=0o600)


def _write(pair: Pair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """Write both, the certificate last: where it is, the key is too."""
    _write_key(pair.key, key)
    files.write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
