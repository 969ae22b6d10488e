"""Certificates for tests, made by openssl: a good server and client, and bad ones of each kind."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def is_installed() -> bool:
    return shutil.which("openssl") is not None


@dataclass(frozen=True)
class TlsFiles:
    """One certificate with its key, and the CA that the other side is checked by."""

    certificate: Path
    key: Path
    ca: Path
    client_needed: bool = False
    options: tuple[str, ...] = ()  # more of redis-server

    def server_options(self) -> list[str]:
        files = ["--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)]
        ask = "yes" if self.client_needed else "no"
        return [
            *files,
            "--tls-ca-cert-file",
            str(self.ca),
            "--tls-auth-clients",
            ask,
            *self.options,
        ]

    def client_arguments(self) -> dict[str, Any]:
        """Arguments of redis-py that trust any server: tests ask through it, they do not prove."""
        own = {"ssl_certfile": str(self.certificate), "ssl_keyfile": str(self.key)}
        return {"ssl": True, "ssl_cert_reqs": "none", "ssl_check_hostname": False, **own}


class Authority:
    """A CA of a test's own; all its files are in `folder`."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.crt"
        self._key = self.folder / "ca.key"
        out = ["-keyout", str(self._key), "-out", str(self.certificate)]
        _openssl("req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN={name}", *out)

    def server(self, **changes: Any) -> TlsFiles:
        return self.issue("server", "DNS:localhost,IP:127.0.0.1", **changes)

    def client(self) -> TlsFiles:
        return self.issue("client", "DNS:vcache")

    def wrong_name(self) -> TlsFiles:
        return self.issue("wrongname", "DNS:evil.example")

    def expired(self) -> TlsFiles:
        return self.issue("expired", "DNS:localhost,IP:127.0.0.1", days=-1)

    def issue(self, name: str, names: str, *, days: int = 30, **changes: Any) -> TlsFiles:
        """A certificate for `names`, as subjectAltName writes them; `days` below 0: expired."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extensions = self.folder / f"{name}.crt", self.folder / f"{name}.ext"
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(request))
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        by = ["-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"]
        out = ["-days", str(days), "-extfile", str(extensions), "-out", str(certificate)]
        _openssl("x509", "-req", "-in", str(request), *by, *out)
        return TlsFiles(certificate, key, self.certificate, **changes)

    def self_signed(self) -> TlsFiles:
        """Of no CA; names this host."""
        key, certificate = self.folder / "self.key", self.folder / "self.crt"
        out = ["-keyout", str(key), "-out", str(certificate), "-days", "30"]
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        _openssl("req", "-x509", *_KEY, "-subj", "/CN=localhost", *names, *out)
        return TlsFiles(certificate, key, self.certificate)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
