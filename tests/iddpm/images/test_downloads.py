"""Published files are fetched whole, go on where they were cut, and are used by their md5 alone."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.images import downloads
from iddpm.images.checksums import PUBLISHED
from iddpm.images.downloads import IDX, MIRRORS, Mirrors, download

CONTENT = np.random.default_rng(0).bytes(3_000_001)
NAME = "some.tar.gz"


class Mirror(BaseHTTPRequestHandler):
    """A mirror whose first path of each address says what is wrong with it."""

    asked: list[tuple[str, str | None]] = []  # noqa: RUF012 - of all its instances

    def do_GET(self) -> None:
        sort = self.path.split("/")[1]
        wanted = self.headers.get("Range")
        Mirror.asked.append((sort, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if sort == "missing":
            self.send_error(404)
            return
        if start >= len(CONTENT):
            self.send_error(416)
            return
        if sort == "whole-only":
            start = 0
        body = b"something else" if sort == "other" else CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            first = start + (sort == "elsewhere")
            self.send_header("Content-Range", f"bytes {first}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if sort != "no-length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        given = {"breaks": 1_000_000, "whole-only": 1_000_000, "nothing": 0}.get(sort, len(body))
        self.wfile.write(body[:given])

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server; `family` is what its mirrors have."""
    Mirror.asked.clear()
    sums = {NAME: (hashlib.md5(CONTENT).hexdigest(),)}
    monkeypatch.setitem(PUBLISHED, "family", sums)
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fetch(monkeypatch: pytest.MonkeyPatch, folder: Path, *addresses: str) -> Path:
    mirrors = Mirrors(files=(NAME,), at=addresses)
    monkeypatch.setattr(downloads, "MIRRORS", {"family": mirrors})
    (path,) = download("family", folder, progress=lambda done, total: None)
    return path


@pytest.mark.parametrize("sort", ["good", "breaks", "no-length"])
def test_a_file_is_fetched_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, sort: str
) -> None:
    path = fetch(monkeypatch, tmp_path / "new", f"{at}/{sort}/")
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_a_part_goes_on_from_its_end_and_what_is_there_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:2_000_000])
    assert fetch(monkeypatch, tmp_path, f"{at}/good/").read_bytes() == CONTENT
    assert Mirror.asked == [("good", "bytes=2000000-")]
    assert fetch(monkeypatch, tmp_path, f"{at}/missing/").read_bytes() == CONTENT
    assert len(Mirror.asked) == 1


def test_a_part_that_is_all_of_it_needs_no_byte_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(monkeypatch, tmp_path, f"{at}/good/").read_bytes() == CONTENT


def test_the_next_mirror_is_asked_where_one_has_it_not_or_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    addresses = [f"{at}/{sort}/" for sort in ("missing", "other", "nothing", "elsewhere", "good")]
    assert fetch(monkeypatch, tmp_path, *addresses).read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away_once_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(bytes(1000))
    path = fetch(monkeypatch, tmp_path, f"{at}/good/", f"{at}/good/")
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in Mirror.asked] == ["bytes=1000-", None]


@pytest.mark.parametrize(
    ("sort", "said"),
    [
        ("missing", "HTTP Error 404"),
        ("other", f"another file, with the md5 {hashlib.md5(b'something else').hexdigest()}"),
        ("whole-only", "broke off after 1,000,000 of 3,000,001 bytes"),
        ("nothing", "broke off after 0 of 3,000,001 bytes"),
    ],
)
def test_what_no_mirror_gives_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, sort: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        fetch(monkeypatch, tmp_path, f"{at}/{sort}/")
    assert f"{at}/{sort}/{NAME}: " in str(caught.value)
    assert caught.value.hint.endswith(f"or put the file into {tmp_path} by other means")
    assert not (tmp_path / NAME).exists()


def test_a_mirror_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with pytest.raises(ConfigError, match="refused"):
        fetch(monkeypatch, tmp_path, "http://127.0.0.1:9/")


def test_a_file_of_that_name_that_is_another_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(ConfigError, match="the published file, with the md5"):
        fetch(monkeypatch, tmp_path, f"{at}/good/")
    assert (tmp_path / NAME).read_bytes() == b"mine"
    assert Mirror.asked == []


def test_a_family_that_asks_for_an_account_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one of cifar10, mnist, fashion, found 'imagenet'"):
        download("imagenet", tmp_path, progress=lambda done, total: None)


def test_every_file_of_the_mirrors_has_a_published_md5() -> None:
    assert {(f, name) for f in MIRRORS for name in MIRRORS[f].files} <= {
        (family, name) for family in PUBLISHED for name in PUBLISHED[family]
    }
    assert set(IDX) == set(PUBLISHED["mnist"])
    assert all(address.endswith("/") for f in MIRRORS for address in MIRRORS[f].at)
