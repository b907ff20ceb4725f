"""No secret leaves the program with a text, and what is no secret stays readable."""

import pytest

from medpeft.base.errors import UserError
from medpeft.base.redaction import fingerprint, redacted, without_secrets

HOST = "data.example.org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"https://user:s3cr3t@{HOST}/x.zip", f"https://REDACTED@{HOST}/x.zip"),
        (f"http://s3cr3t@{HOST}:8080/x.zip", f"http://REDACTED@{HOST}:8080/x.zip"),
        (f"ftp://user:s3cr3t@{HOST}/x.zip", f"ftp://REDACTED@{HOST}/x.zip"),
        (f"https://user:s3cr3t%40%2F@{HOST}/x.zip", f"https://REDACTED@{HOST}/x.zip"),
        (f"https://user:s3@cr3t@{HOST}/x.zip", f"https://REDACTED@{HOST}/x.zip"),
        (f"https://user:s3/c?r3#t@{HOST}/x.zip", f"https://REDACTED@{HOST}/x.zip"),
        (f"https://{HOST}/x.zip?X-Amz-Signature=s3cr3t&X-Amz-Date=1", f"https://{HOST}/x.zip?REDACTED"),
        (f"https://{HOST}/c?sv=2024-01-01&sr=c&sig=s3%2Bcr3t%3D/busi.zip", f"https://{HOST}/c?REDACTED"),
        (f"https://{HOST}/x.zip?download=1&token=s3cr3t", f"https://{HOST}/x.zip?REDACTED"),
        (f"https://{HOST}/x.zip?s3cr3t", f"https://{HOST}/x.zip?REDACTED"),
        (f"https://{HOST}/x.zip#access_token=s3cr3t", f"https://{HOST}/x.zip?REDACTED".replace("?", "#")),
        (
            f"tried https://u:s3cr3t@{HOST}/a?sig=s3cr3t: HTTP 403; https://{HOST}/b: no",
            f"tried https://REDACTED@{HOST}/a?REDACTED: HTTP 403; https://{HOST}/b: no",
        ),
        (
            "HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /x.zip?sig=s3cr3t (Caused by ...)",
            "HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: /x.zip?REDACTED (Caused by ...)",
        ),
        (f"{{'url': 'https://{HOST}/x?a=s3cr3t'}}", f"{{'url': 'https://{HOST}/x?REDACTED'}}"),
        (f"(https://{HOST}/x?a=s3cr3t).", f"(https://{HOST}/x?REDACTED)."),
        ("proxy http://me:s3cr3t@proxy:3128 refuses", "proxy http://REDACTED@proxy:3128 refuses"),
        ("{'Authorization': 'Bearer s3cr3t-s3cr3t'}", "{'Authorization': 'Bearer REDACTED'}"),
        ("Authorization: Basic dXNlcjpzM2NyM3Q=", "Authorization: Basic REDACTED"),
    ],
)
def test_logins_and_queries_of_addresses_are_hidden(text, expected):
    assert redacted(text) == expected
    assert "s3" not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        f"https://{HOST}:8443/@team/x@2x.png",
        f"is it https://{HOST}/x? no",
        f"https://{HOST}/x.zip?download=1, https://{HOST}/x?format=original",
        "write to me@example.org about kaggle:datasets/owner/name",
        "/data/images #1/a.png and /data/what?.png",
        r"the pattern '/(?P<patient>\d+)_' and '^(\d+)?=x'",
        "basic statistics of the bearer",
    ],
)
def test_other_texts_stay_as_they_are(text):
    assert redacted(text) == text


@pytest.mark.parametrize("name", ["HF_TOKEN", "KAGGLE_KEY", "AWS_SECRET_ACCESS_KEY", "database_password"])
def test_secrets_of_the_environment_are_hidden(name, monkeypatch):
    monkeypatch.setenv(name, "abc123def456")
    assert redacted("401 for token abc123def456") == "401 for token REDACTED"


def test_a_short_or_ordinary_value_of_the_environment_hides_no_word(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "images")
    monkeypatch.setenv("EDITOR", "training-set")
    assert redacted("images of the training-set") == "images of the training-set"


def test_a_study_is_redacted_in_all_its_parts():
    study = {
        "mirror": f"https://u:p@{HOST}",
        "datasets": {"mine": {"path": f"https://{HOST}/x?sig=1", "classes": ["a"]}},
    }
    assert without_secrets(study) == {
        "mirror": f"https://REDACTED@{HOST}",
        "datasets": {"mine": {"path": f"https://{HOST}/x?REDACTED", "classes": ["a"]}},
    }
    assert without_secrets({"seed": 1, "size": None}) == {"seed": 1, "size": None}


def test_an_address_is_told_from_another_without_its_login():
    one, other = (f"https://u:p@{HOST}/x?file={name}" for name in ("a.zip", "b.zip"))
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(one.replace("u:p@", "me:better@"))
    assert fingerprint(None) is None


def test_every_message_for_the_user_is_redacted():
    error = UserError(f"https://u:s3cr3t@{HOST}/x.zip gave nothing: look there")
    assert str(error) == f"https://REDACTED@{HOST}/x.zip gave nothing: look there"
    assert "s3cr3t" not in repr(error)
