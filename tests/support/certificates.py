"""Certificates for tests: those of certificates.sh, and servers that show them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ports import free_port
from redis_server import RedisServer


class Certificates:
    """The files of certificates.sh in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([Path(__file__).with_suffix(".sh"), folder], check=True)

    def certificate(self, name: str) -> str:
        return str(self.folder / f"{name}.crt")

    def key(self, name: str) -> str:
        return str(self.folder / f"{name}.key")


class TlsServer(RedisServer):
    """A redis-server that takes TLS on `tls_port`, as who has the certificate `name`."""

    def __init__(
        self, folder: Path, certificates: Certificates, name: str = "server", *options: str
    ) -> None:
        self.tls_port = free_port()
        self.certificates = certificates
        tls = [
            "--tls-port",
            str(self.tls_port),
            "--tls-ca-cert-file",
            certificates.certificate("ca"),
        ]
        tls += ["--tls-cert-file", certificates.certificate(name)]
        tls += ["--tls-key-file", certificates.key(name), "--tls-auth-clients", "optional"]
        super().__init__(folder, *tls, *options)

    @property
    def tls_url(self) -> str:
        return f"rediss://127.0.0.1:{self.tls_port}/0?ca_file={self.certificates.certificate('ca')}"
