"""Certificates for tests, made by the openssl command: a good one, and some that no client may take."""

import os
import shutil
import subprocess

NAMES = "subjectAltName=DNS:localhost,DNS:*.localhost,DNS:intake.profile.localhost,IP:127.0.0.1,IP:::1"
KINDS = ("good", "wrong-host", "self-signed", "expired")
CA_CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""


def available() -> bool:
    return shutil.which("openssl") is not None


def _openssl(folder: str, *words: str) -> None:
    ran = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60)
    if ran.returncode:
        raise RuntimeError(f"openssl {words[0]}: {ran.stderr.strip()}")


def _key_and(folder: str, what: list[str], name: str, subject: str, *extensions: str) -> None:
    _openssl(folder, "req", "-config", "ca.cnf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             *what, "-keyout", f"{name}.key", "-subj", f"/CN={subject}",
             *[word for extension in extensions for word in ("-addext", extension)])


def authority(folder: str) -> str:
    """A CA that the tests' clients are told to trust; made once a folder.  Its path."""
    path = os.path.join(folder, "ca.pem")
    if not os.path.exists(path):
        with open(os.path.join(folder, "ca.cnf"), "w", encoding="utf-8") as file:
            file.write(CA_CONFIG.format(folder=folder))
        with open(os.path.join(folder, "index"), "w", encoding="utf-8"):
            pass
        _key_and(folder, ["-x509", "-days", "30", "-out", "ca.pem"], "ca", "a CA of tests",
                 "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
    return path


def make(kind: str, folder: str) -> tuple[str, str]:
    """(certificate, key) of that kind, beside the CA in the folder."""
    authority(folder)
    paths = os.path.join(folder, f"{kind}.pem"), os.path.join(folder, f"{kind}.key")
    if os.path.exists(paths[0]):
        return paths
    names = "subjectAltName=DNS:elsewhere.example" if kind == "wrong-host" else NAMES
    subject = "elsewhere.example" if kind == "wrong-host" else "localhost"
    if kind == "self-signed":
        _key_and(folder, ["-x509", "-days", "30", "-out", f"{kind}.pem"], kind, subject, names)
        return paths
    _key_and(folder, ["-out", f"{kind}.csr"], kind, subject, names)
    dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if kind == "expired" else ["-days", "30"]
    _openssl(folder, "ca", "-config", "ca.cnf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key",
             "-in", f"{kind}.csr", "-out", f"{kind}.pem", *dates)
    return paths
