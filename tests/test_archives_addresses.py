"""URLs apart from paths, and nothing secret in what is shown."""

import pytest

from pix2pix.archives import addresses


@pytest.mark.parametrize("path", ["s3://a/b", "zip://x::/a.zip", "simplecache::s3://a", "gs://a"])
def test_urls(path):
    assert addresses.is_url(path) and addresses.local_path(path) is None


@pytest.mark.parametrize(
    "path", ["a.jpg", "C:\\scans", "C:/scans", "c://x", "a:b", "ab::c.jpg", "/x//y", "-", ""]
)
def test_paths(path):
    assert not addresses.is_url(path) and addresses.local_path(path) == path


def test_a_file_url_is_a_path():
    assert addresses.local_path("file:///scans/a b.jpg") == "/scans/a b.jpg"


@pytest.mark.parametrize(
    "address, parts",
    [
        ("s3://bucket/a/b.jpg", ("s3://bucket/a/", "b.jpg")),
        ("s3://bucket/a/", ("s3://bucket/a/", "")),
        ("s3://bucket", ("s3://bucket", "")),
        ("s3://my.bucket", ("s3://my.bucket", "")),
        ("sftp://host/b.jpg", ("sftp://host/", "b.jpg")),
        ("memory://b.jpg", ("memory://", "b.jpg")),
        ("zip://a/b.jpg::/x/c.zip", ("zip://a/::/x/c.zip", "b.jpg")),
        ("zip://b.jpg::s3://x/c.zip", ("zip://::s3://x/c.zip", "b.jpg")),
        ("simplecache::s3://x/b.jpg", ("simplecache::s3://x/", "b.jpg")),
    ],
)
def test_an_address_is_split(address, parts):
    assert addresses.split(address) == parts


@pytest.mark.parametrize(
    "address, shown",
    [
        ("sftp://ann:s3cret@host/x", "sftp://ann@host/x"),
        ("sftp://ann:a@b:c@host/x", "sftp://ann@host/x"),
        ("zip://::sftp://ann:s3cret@host/x.zip", "zip://::sftp://ann@host/x.zip"),
        ("s3://bucket/a:b@c.jpg", "s3://bucket/a:b@c.jpg"),
        ("sftp://host:2222/x", "sftp://host:2222/x"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert addresses.shown(address) == shown


@pytest.mark.parametrize(
    "text",
    [
        "403 for https://a.s3.amazonaws.com/k?X-Amz-Signature=s3cr3tt&X-Amz-Credential=b",
        "url='https://x.blob.core.windows.net/c/k?sv=1&sig=s3cr3tt'",
        "AccountName=a;AccountKey=s3cr3tt;EndpointSuffix=core",
        "Authorization: Bearer s3cr3tt",
        "login of sftp://ann:s3cr3tt@host failed",
        "X-Amz-Security-Token=s3cr3tt rejected",
    ],
)
def test_a_librarys_words_lose_what_is_secret(text):
    assert "s3cr3tt" not in addresses.scrubbed(text)


def test_secrets_of_the_environment_and_of_options_are_taken_out(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7")
    said = addresses.scrubbed(
        "bad key wJalrXUtnFEMI/K7, AKIAIOSFODNN7EXAMPLE, hunter22", ["hunter22"]
    )
    assert said == "bad key ***, ***, ***"


def test_plain_words_stay():
    text = "The specified key does not exist: scans/what?.jpg, token ring"
    assert addresses.scrubbed(text) == text
