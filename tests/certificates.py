"""Certificates for tests of TLS: real ones, by openssl, good for two days."""

import subprocess
from pathlib import Path

_SCRIPT = """
set -e
curve="ec -pkeyopt ec_paramgen_curve:prime256v1"
authority() {
  openssl req -x509 -newkey $curve -nodes -days 2 -keyout $1.key -out $1.pem -subj /CN=$1
}
signed() {
  openssl req -utf8 -newkey $curve -nodes -keyout $1.key -out $1.csr -subj "$3"
  printf "subjectAltName=DNS:$1" > $1.ext
  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -out $1.pem -extfile $1.ext
}
"""


def make_certificates(folder: Path, *subjects: tuple[str, str, str]) -> None:
    """Two authorities, ``ours`` and ``theirs``; the daemon's ``localhost`` by ours; and (file, authority, subject) each: FILE.pem and FILE.key."""
    made = [("localhost", "ours", "/CN=localhost"), *subjects]
    calls = [f"signed {file} {authority} '{subject}'" for file, authority, subject in made]
    script = "\n".join([_SCRIPT, "authority ours", "authority theirs", *calls])
    subprocess.run(["sh", "-c", script], cwd=folder, check=True, capture_output=True)
