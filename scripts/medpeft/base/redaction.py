"""Secrets are kept out of what leaves the program: messages, logs, cards, records, and what Snakemake keeps of a job.

A study may name an address with `user:password@` or with a signature in its query. Keys and tokens of accounts stand in
the environment, and libraries repeat them in their errors.
"""

import hashlib
import os
import re
from typing import Any

HIDDEN = "REDACTED"
SHORTEST = 8  # characters of a secret in the environment: shorter ones occur in common words
END = r"(?=[.,;:)\]}]*(?:[\s'\"<>`]|$))"  # of an address in a sentence, whose own signs are kept

_SECRET_NAME = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)
# Before the host. The second form has a password with signs that should have been written as %2F, %3F or %23.
_USER = re.compile(r"(?<=://)(?:[^\s/?#]*@|[^\s/:@]+:(?!\d*/)[^\s'\"<>]*@)")
# After the path of an address, or of its end as errors of requests have it: /archive.zip?signature=... Two queries that
# publishers' addresses have are no secrets.
_QUERY = re.compile(
    r"(://[^\s?#'\"<>]*[?#]|/[\w./%~+@,-]*\?(?=[^\s=]+=))"
    rf"(?!(?:download=1|format=original){END})[^\s'\"<>`]+?{END}"
)
_HEADER = re.compile(r"((?i:authorization)\W{1,4}(?:Basic |Bearer )?|Bearer )[\w.~+/=-]{8,}")


def redacted(text: str) -> str:
    """Return `text` without secrets: logins and queries of addresses, tokens of headers and of the environment."""
    for secret in _of_environment():
        text = text.replace(secret, HIDDEN)
    text = _USER.sub(f"{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1{HIDDEN}", text)


def without_secrets(value: Any) -> Any:
    """Return `value`, of mappings, lists and texts as a study is, with each of its texts `redacted`."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: without_secrets(part) for key, part in value.items()}
    return [without_secrets(part) for part in value] if isinstance(value, list) else value


def fingerprint(address: str | None) -> str | None:
    """Return what tells an address from others, its query included but no login, without telling the address."""
    return hashlib.sha256(_USER.sub("", address).encode()).hexdigest()[:16] if address else None


def _of_environment() -> list[str]:
    """Return the values of the environment whose names say that they are secrets, the longest first."""
    values = {value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= SHORTEST}
    return sorted(values, key=len, reverse=True)
