"""Certificates for servers of the tests, under an authority made on the spot."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """Write the certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Write the key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_authority(name: str = "root", issuer: Certified | None = None) -> Certified:
    """Make a root certificate, or one under another."""
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return _certify(
        name,
        issuer,
        _span(),
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage, True),
    )


def make_server(authority: Certified, host: str = "127.0.0.1") -> Certified:
    """Make a server's certificate for one address of this host."""
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    return _certify(
        "server",
        authority,
        _span(),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (names, False),
    )


def make_time_stamper(
    authority: Certified,
    *,
    ended: bool = False,
) -> Certified:
    """Make the certificate of a time stamp authority."""
    return _certify(
        "stamper",
        authority,
        _span(ended=ended),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True),
    )


def _span(*, ended: bool = False) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - 2 * DAY, now - DAY if ended else now + DAY


def _certify(
    name: str,
    issuer: Certified | None,
    span: tuple[datetime, datetime],
    *extensions: tuple[x509.ExtensionType, bool],
) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(span[0])
        .not_valid_after(span[1])
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
    )
    above = key if issuer is None else issuer.key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()),
        critical=False,
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return Certified(builder.sign(above, hashes.SHA256()), key)
