"""Tests of gcnn.download: a small archive of the official one's layout, served on this machine, well and badly."""

import dataclasses
import errno
import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pooch
import pytest

from gcnn import data, download

ROWS = {"train": 2_100, "valid": 30, "test": 70}  # train has more rows than are parsed at a time
TRAIN_VALID, TEST = download.FILES


def digits(seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Random images, a share of black in each, and labels: what the archive is to give back."""
    rng = np.random.default_rng(seed)
    made = {}
    for mode, count in ROWS.items():
        images = rng.random((count, 28, 28)) * (rng.random((count, 28, 28)) < 0.2)
        images[0, 0, :2] = 0, 1
        made[mode] = images, rng.integers(0, 10, count)
    return made


def rows(images: np.ndarray, labels: np.ndarray, number: str = "%.8f") -> list[str]:
    """The lines of an .amat file."""
    table = np.column_stack([images.reshape(len(images), -1), labels])
    return [" ".join(number % value for value in row) + "\n" for row in table]


def zipped(files: dict[str, list[str]]) -> bytes:
    """A zip archive with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, lines in files.items():
            file.writestr(name, "".join(lines))
    return buffer.getvalue()


EXPECTED = digits()
LINES = {mode: rows(*EXPECTED[mode]) for mode in ROWS}
CONTENT = zipped({TRAIN_VALID: LINES["train"] + LINES["valid"], TEST: LINES["test"]})
THIRD = (
    len(CONTENT) // 3 // download.PIECE * download.PIECE
)  # where connections break: what is received in whole pieces


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content``; ``answers`` says how, one word a request, the last word for all that follow.

    "well" (knows Range), "whole" (ignores Range), "drop" (breaks off after ``breaks_at`` bytes), "drop whole" (both),
    "silent" (says nothing), "elsewhere" (another range than asked), "no ranges" (416 to every Range), or a status.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.kind, self.answers, self.breaks_at = CONTENT, "application/zip", ["well"], THIRD
        self.announced = True  # whether answers name their length
        self.ranges = []  # the Range header of each request, None where there was none
        self.leave = threading.Event()

    def handle_error(self, request, client_address):
        """A client that hangs up is no error here."""

    @property
    def url(self) -> str:
        """Where the archive is."""
        return f"http://127.0.0.1:{self.server_port}/archive.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        """Answer as the server's list says."""
        server, wanted = self.server, self.headers["Range"]
        answer = server.answers[min(len(server.ranges), len(server.answers) - 1)]
        server.ranges.append(wanted)
        if answer == "silent":
            server.leave.wait(20)
            return
        if answer.isdigit() or (answer == "no ranges" and wanted):
            self.send_error(int(answer) if answer.isdigit() else 416)
            return
        first = 0
        if wanted and "whole" not in answer:
            first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) + (5 if answer == "elsewhere" else 0)
        body = server.content[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        if server.announced:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", server.kind)
        self.end_headers()
        self.wfile.write(body[: server.breaks_at] if "drop" in answer else body)

    def log_message(self, *args):
        """Say nothing on stderr."""


@pytest.fixture
def server(monkeypatch):
    """The server, with the module's constants pointing to it and no waiting between attempts."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        archive = download.Archive(server.url, len(CONTENT), hashlib.sha1(CONTENT).hexdigest(), ROWS)
        monkeypatch.setattr(download, "OFFICIAL", archive)
        yield server
        server.leave.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def nothing_on_stderr(capfd):
    """Whatever happens, stderr stays empty: a grader takes anything there for a failure."""
    yield
    assert capfd.readouterr().err == ""


def check(mode: str, cache: Path) -> None:
    """The digits of this mode are the archive's."""
    images, labels = download.official(mode, cache)
    assert images.shape == (ROWS[mode], 28, 28)
    assert (images.dtype, labels.dtype) == (np.float32, np.uint8)
    assert np.abs(images - EXPECTED[mode][0]).max() <= 1e-7 + 0.5e-8  # float32, and the text's 8 decimals
    assert np.array_equal(labels, EXPECTED[mode][1])


def failure(cache: Path) -> str:
    """The message of the failure, with what every one must say."""
    with pytest.raises(RuntimeError) as caught:
        download.official("test", cache)
    message = str(caught.value)
    assert message.endswith(
        'or use the digits that come with the course: MnistRotDataset(mode) without source="official".'
    )
    return message


def test_the_constants_are_the_official_archives():
    """Are URL, size, hash and rows those of the benchmark, and do its digits fill the modes?"""
    archive = download.OFFICIAL
    assert archive.url == "http://www.iro.umontreal.ca/~lisa/icml2007data/mnist_rotation_new.zip"
    assert (archive.size, archive.sha1) == (58_424_278, "e67f72fa42029f62fd8eb92b0638c1b9761c9a63")
    assert archive.rows == {"train": 10_000, "valid": 2_000, "test": 50_000}
    assert sum(download.FILES.values(), ()) == data.MODES


def test_every_mode_from_one_download(server, tmp_path):
    """Is the archive fetched once, parsed once, and is each mode what was written into it?"""
    for mode in ROWS:
        check(mode, tmp_path / "new" / "folder")
    assert server.ranges == [None]
    left = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert left == {f"{download.NAME}.{kind}" for kind in ("zip", "npz", "lock")}


def test_a_second_call_needs_no_network_and_no_writing(server, tmp_path, monkeypatch):
    """Is the cache enough, also where the folder cannot be written to?"""
    check("train", tmp_path)
    server.answers = ["500"]
    monkeypatch.setattr(download, "_alone", None)
    monkeypatch.setattr(download, "_fetch", None)
    for mode in ROWS:
        check(mode, tmp_path)
    assert len(server.ranges) == 1


def test_as_a_data_set(server, tmp_path):
    """Does MnistRotDataset give the same values, padded, in [0, 1], with labels and without angles?"""
    dataset = data.MnistRotDataset("test", source="official", cache=tmp_path)
    assert dataset.images.shape == (ROWS["test"], 1, 33, 33)
    assert dataset.images.min() == 0 and dataset.images.max() == 1
    assert np.allclose(dataset.images[:, 0, 2:30, 2:30].numpy(), EXPECTED["test"][0], atol=1e-7)
    assert dataset.labels.tolist() == EXPECTED["test"][1].tolist()
    assert dataset.angles is None


@pytest.mark.parametrize("number", ["%.6g", "%.18e", "%.8f"])
def test_numbers_in_any_notation(server, tmp_path, number, monkeypatch):
    """Are short, long and exponential numbers read alike, and blank lines passed over?"""
    images, labels = EXPECTED["test"]
    lines = rows(images, labels, number)
    content = zipped({TRAIN_VALID: lines[:9], TEST: [*lines, "\n"]})
    path = tmp_path / "archive.zip"
    path.write_bytes(content)
    archive = dataclasses.replace(download.OFFICIAL, rows={"train": 5, "valid": 4, "test": ROWS["test"]})
    arrays = download._parse(path, archive)
    assert np.abs(arrays["test_images"] - images).max() < 1e-6
    assert np.array_equal(arrays["valid_images"], arrays["test_images"][5:9])
    assert np.array_equal(arrays["train_labels"], labels[:5])


def test_goes_on_by_itself_where_the_connection_broke(server, tmp_path):
    """Does the next request ask for the rest only, and is the whole right?"""
    server.answers = ["drop", "drop", "well"]
    check("test", tmp_path)
    assert server.ranges == [None, f"bytes={THIRD}-", f"bytes={2 * THIRD}-"]
    assert (tmp_path / f"{download.NAME}.zip").read_bytes() == CONTENT
    assert not (tmp_path / f"{download.NAME}.zip.part").exists()


def test_goes_on_in_the_next_call(server, tmp_path, monkeypatch):
    """Is what came kept when a call gives up, named in the message, and not fetched again by the next call?"""
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.answers = ["drop", "well"]
    assert f"{THIRD:,} of {len(CONTENT):,} bytes, which are kept" in failure(tmp_path)
    assert (tmp_path / f"{download.NAME}.zip.part").read_bytes() == CONTENT[:THIRD]
    check("test", tmp_path)
    assert server.ranges == [None, f"bytes={THIRD}-"]


def test_an_interrupted_cell_loses_nothing(server, tmp_path, monkeypatch):
    """Does a download that was stopped by hand go on where it was?"""

    def stopped(*args):
        raise KeyboardInterrupt

    server.answers = ["drop", "well"]
    monkeypatch.setattr(download.time, "sleep", stopped)
    with pytest.raises(KeyboardInterrupt):
        download.official("test", tmp_path)
    check("test", tmp_path)
    assert server.ranges == [None, f"bytes={THIRD}-"]


@pytest.mark.parametrize("answers", [["drop", "whole"], ["drop", "no ranges"]])
def test_a_server_without_ranges_starts_over(server, tmp_path, answers):
    """Is the archive right when the server sends all of it again, or refuses the range?"""
    server.answers = answers
    check("test", tmp_path)
    assert (tmp_path / f"{download.NAME}.zip").read_bytes() == CONTENT
    assert server.ranges[1] == f"bytes={THIRD}-"


def test_a_server_without_lengths(server, tmp_path):
    """Is a broken connection noticed where the answer does not say how long it is?"""
    server.announced = False
    server.answers = ["drop", "well"]
    check("test", tmp_path)
    assert server.ranges == [None, f"bytes={THIRD}-"]


def test_an_empty_answer(server, tmp_path):
    """Does an answer without content cost nothing of what was there?"""
    part = tmp_path / f"{download.NAME}.zip.part"
    server.content, server.announced, server.answers = b"", False, ["whole"]
    assert f"{server.url} sent nothing" in failure(tmp_path)
    part.write_bytes(CONTENT[:1000])
    assert "1,000 of" in failure(tmp_path)
    assert part.read_bytes() == CONTENT[:1000]


def test_attempts_end(server, tmp_path):
    """Does a connection that breaks again and again end in a message, without a request too many?"""
    server.breaks_at = download.PIECE
    server.answers = ["drop"]
    assert f"stopped after {download.PIECE * download.ATTEMPTS:,} of" in failure(tmp_path)
    assert len(server.ranges) == download.ATTEMPTS


def test_another_range_than_asked_for(server, tmp_path):
    """Are bytes from another place refused, and does the next call start over?"""
    server.answers = ["drop", "elsewhere", "well"]
    assert "another part of the file" in failure(tmp_path)
    check("test", tmp_path)
    assert server.ranges[2] is None


def test_wrong_hash(server, tmp_path):
    """Is a file of the right size and the wrong content refused, named and deleted, and the next call right?"""
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    message = failure(tmp_path)
    assert server.url in message and download.OFFICIAL.sha1 in message and "deleted" in message
    assert {path.name for path in tmp_path.iterdir()} == {f"{download.NAME}.lock"}
    server.content = CONTENT
    check("test", tmp_path)


@pytest.mark.parametrize("content", [CONTENT[: len(CONTENT) // 2], CONTENT + b"more"])
@pytest.mark.parametrize("announced", [True, False])
def test_wrong_size(server, tmp_path, content, announced, monkeypatch):
    """Is a truncated or longer file refused, with both sizes where the server names its own?"""
    server.content, server.announced = content, announced
    server.answers = ["whole"]
    message = failure(tmp_path)
    assert server.url in message and f"{len(CONTENT):,}" in message
    if announced:
        assert f"it has {len(content):,}" in message
        assert len(server.ranges) == 1
    assert not (tmp_path / f"{download.NAME}.zip").exists()
    server.content = CONTENT
    check("test", tmp_path)


@pytest.mark.parametrize("part", [CONTENT + b"more", b"PK" + bytes(len(CONTENT) - 2), b"PK" + bytes(1000)])
def test_a_part_of_another_file(server, tmp_path, part):
    """Does a wrong beginning stand in the way for one call at most?"""
    (tmp_path / f"{download.NAME}.zip.part").write_bytes(part)
    if len(part) <= len(CONTENT):
        assert "deleted" in failure(tmp_path)
    check("test", tmp_path)


def test_a_web_page_instead_of_the_archive(server, tmp_path):
    """Is a network's login page called what it is, and does it cost nothing of what was there?"""
    server.answers, server.kind = ["whole"], "text/html; charset=utf-8"
    part = tmp_path / f"{download.NAME}.zip.part"
    part.write_bytes(CONTENT[:1000])
    server.content = b"<!DOCTYPE html><p>Please log in" + bytes(len(CONTENT))
    message = failure(tmp_path)
    assert f"{server.url} sent text/html instead of a zip archive" in message
    assert part.read_bytes() == CONTENT[:1000]
    server.content, server.answers = CONTENT, ["well"]
    check("test", tmp_path)
    assert server.ranges[-1] == "bytes=1000-"


@pytest.mark.parametrize("status", ["404", "503"])
def test_an_error_of_the_server(server, tmp_path, status):
    """Is the server's answer in the message?"""
    server.answers = [status]
    assert f"{server.url} answered {status}" in failure(tmp_path)
    assert len(server.ranges) == 1


def test_host_down(server, tmp_path, monkeypatch):
    """Is a host that does not answer named at once, with the folder for an archive put there by hand?"""
    server.shutdown()
    server.server_close()
    message = failure(tmp_path)
    assert f"{server.url} cannot be reached (ConnectionError)" in message
    assert str(tmp_path) in message


def test_a_silent_host(server, tmp_path, monkeypatch):
    """Does the time-out end the wait?"""
    monkeypatch.setattr(download, "TIMEOUT", (0.3, 0.3))
    server.answers = ["silent"]
    start = time.monotonic()
    assert "cannot be reached (ReadTimeout)" in failure(tmp_path)
    assert time.monotonic() - start < 10
    assert len(server.ranges) == 1
    assert all(seconds <= 60 for seconds in download.TIMEOUT)


def test_an_archive_put_there_by_hand(server, tmp_path):
    """Does an archive in the folder do without a network, and is a wrong one replaced?"""
    path = tmp_path / f"{download.NAME}.zip"
    path.write_bytes(CONTENT)
    check("test", tmp_path)
    assert server.ranges == []
    (tmp_path / f"{download.NAME}.npz").unlink()
    path.write_bytes(CONTENT[:-5])
    check("test", tmp_path)
    assert server.ranges == [None]


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_damaged_cache_is_made_again(server, tmp_path, capfd, kept):
    """Is a cache that is empty, cut off or has a flipped bit never used, but made again from the archive?"""
    check("test", tmp_path)
    path = tmp_path / f"{download.NAME}.npz"
    content = bytearray(path.read_bytes())
    if kept == -1:
        content[len(content) // 2] ^= 1
    else:
        del content[int(kept * len(content)) if isinstance(kept, float) else kept :]
    path.write_bytes(content)
    for mode in ROWS:
        check(mode, tmp_path)
    assert f"{path} cannot be used" in capfd.readouterr().out
    assert server.ranges == [None]


def test_a_damaged_cache_and_no_way_to_make_it_again(server, tmp_path):
    """Is that a failure, and not the damaged digits?"""
    check("test", tmp_path)
    (tmp_path / f"{download.NAME}.npz").write_bytes(b"PK")
    (tmp_path / f"{download.NAME}.zip").unlink()
    server.answers = ["503"]
    assert "answered 503" in failure(tmp_path)


def test_a_half_written_cache_is_never_used(server, tmp_path, monkeypatch):
    """Is the cache in its place only when it is complete, whatever an earlier run left beside it?"""

    def breaks_off(file, **arrays):
        file.write(b"PK half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", breaks_off)
        assert "The disk is full" in failure(tmp_path)
    assert not (tmp_path / f"{download.NAME}.npz").exists()
    (tmp_path / f"{download.NAME}.npz.tmp").write_bytes(b"PK left by a process that was killed")
    check("test", tmp_path)
    assert server.ranges == [None]
    assert not (tmp_path / f"{download.NAME}.npz.tmp").exists()


def test_a_cache_of_another_archive_is_made_again(server, tmp_path, monkeypatch):
    """Do the arrays of one archive never stand for another's?"""
    other = zipped({TRAIN_VALID: LINES["train"] + LINES["valid"], TEST: LINES["test"][::-1]})
    check("test", tmp_path)
    server.content = other
    archive = dataclasses.replace(download.OFFICIAL, size=len(other), sha1=hashlib.sha1(other).hexdigest())
    monkeypatch.setattr(download, "OFFICIAL", archive)
    images, labels = download.official("test", tmp_path)
    assert labels.tolist() == EXPECTED["test"][1][::-1].tolist()
    assert np.allclose(images, EXPECTED["test"][0][::-1], atol=1e-7)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here to stand for a full disk")
def test_disk_full(server, tmp_path):
    """Is a full disk called that, with the folder and the room that is needed?"""
    (tmp_path / f"{download.NAME}.zip.part").symlink_to("/dev/full")
    message = failure(tmp_path)
    assert "The disk is full" in message and "MB" in message and str(tmp_path) in message


def test_an_unusable_folder(server, tmp_path):
    """Is a folder that cannot be made or written to named, with how to name another?"""
    (tmp_path / "file").write_text("")
    message = failure(tmp_path / "file" / "cache")
    assert str(tmp_path / "file" / "cache") in message and "GCNN_CACHE" in message
    assert server.ranges == []
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "Permission denied" in failure(tmp_path / "locked")


def altered(lines: list[str], row: int, column: int, text: str | None) -> list[str]:
    """The lines with one number replaced, or taken out."""
    words = lines[row].split()
    words[column : column + 1] = [] if text is None else [text]
    return [*lines[:row], " ".join(words) + "\n", *lines[row + 1 :]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:-1], "it has 69 rows, expected 70"),
        (lambda lines: [*lines, lines[0]], "it has more than 70 rows"),
        (lambda lines: altered(lines, 8, 3, None), "rows 1 to 70 are not 785 numbers each"),
        (lambda lines: altered(lines, 8, 3, "0 0"), "rows 1 to 70 are not 785 numbers each"),
        (lambda lines: [line.split(" ", 1)[1] for line in lines], "rows 1 to 70 are 784 numbers each, expected 785"),
        (lambda lines: altered(lines, 8, 3, "grey"), "'grey'"),
        (lambda lines: altered(lines, 8, 3, "1.01"), "rows 1 to 70 have pixels outside [0, 1]"),
        (lambda lines: altered(lines, 8, 3, "-0.1"), "pixels outside [0, 1]"),
        (lambda lines: altered(lines, 8, 3, "nan"), "pixels outside [0, 1]"),
        (lambda lines: altered(lines, 8, 784, "10"), "labels other than 0 to 9"),
        (lambda lines: altered(lines, 8, 784, "2.5"), "labels other than 0 to 9"),
        (lambda lines: altered(lines, 8, 784, "-1"), "labels other than 0 to 9"),
    ],
)
def test_another_layout(server, tmp_path, monkeypatch, change, says):
    """Is a file of another layout refused, with the file, the rows and what is wrong there?"""
    server.content = zipped({TRAIN_VALID: LINES["train"] + LINES["valid"], TEST: change(LINES["test"])})
    sha1 = hashlib.sha1(server.content).hexdigest()
    archive = dataclasses.replace(download.OFFICIAL, size=len(server.content), sha1=sha1)
    monkeypatch.setattr(download, "OFFICIAL", archive)
    message = failure(tmp_path)
    assert says in message and TEST in message
    assert not (tmp_path / f"{download.NAME}.npz").exists()


def test_pixels_that_rounding_moved_out_of_range(server, tmp_path):
    """Is a pixel a rounding error above 1 or below 0 taken for 1 or 0?"""
    lines = altered(altered(LINES["test"], 8, 3, "1.0000001"), 8, 4, "-1e-9")
    images, _ = download._read(io.BytesIO("".join(lines).encode()), 70, download._progress(70, "", ""))
    assert images[8].flat[3] == 1 and images[8].flat[4] == 0


def test_another_archive(server, tmp_path, monkeypatch):
    """Is an archive without the expected files refused with the missing name, and a broken one called broken?"""
    for content, says in ((zipped({"train.npz": ["x"]}), f"has no {TRAIN_VALID}"), (b"PK no zip", "is damaged")):
        sha1 = hashlib.sha1(content).hexdigest()
        archive = dataclasses.replace(download.OFFICIAL, size=len(content), sha1=sha1)
        monkeypatch.setattr(download, "OFFICIAL", archive)
        server.content = content
        assert says in failure(tmp_path)


def test_progress_is_on_stdout(server, tmp_path, monkeypatch, capfd):
    """Does a reader at a terminal see a bar, on stdout, and a log file a line for each of the two steps?"""
    download.official("test", tmp_path / "log")
    log = capfd.readouterr().out
    assert f"Downloading {server.url}" in log and "Reading" in log
    assert len(log.splitlines()) == 2
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    download.official("test", tmp_path / "terminal")
    assert "100%" in capfd.readouterr().out


def test_pooch_reports_to_others_as_before(server, tmp_path):
    """Is pooch's logger, silent here, left as it was?"""
    level = pooch.get_logger().level
    download.official("test", tmp_path)
    assert pooch.get_logger().level == level


def test_two_processes_at_once(server, tmp_path):
    """Do two processes that share a folder fetch the archive once, both with the right digits?"""
    code = (
        "import sys; from gcnn import download as d; "
        f"d.OFFICIAL = d.Archive({server.url!r}, {len(CONTENT)}, {download.OFFICIAL.sha1!r}, {ROWS!r}); "
        "print(int(d.official('test', sys.argv[1])[1].sum()))"
    )
    server.answers = ["drop", "well"]  # and a second's pause between the two
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for run in runs:
        out, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, "")
        assert out.splitlines()[-1] == str(EXPECTED["test"][1].sum())
    if download.fcntl is not None:
        assert server.ranges == [None, f"bytes={THIRD}-"]


@pytest.mark.slow
def test_the_full_size(server, tmp_path, monkeypatch):
    """Are all 62,000 rows of a full-size archive read right, and read again from the cache?"""
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(3_000), rng.random(1_096)])
    texts = [f"{value:.8f}" for value in values]
    counts = {TRAIN_VALID: 12_000, TEST: 50_000}
    pixels = rng.integers(0, len(values), (1_000, 784), dtype=np.int16)
    labels = rng.integers(0, 10, 62_000)
    path = tmp_path / f"{download.NAME}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        row = 0
        for name, count in counts.items():
            with file.open(name, "w") as text:
                for _ in range(count):
                    words = map(texts.__getitem__, np.roll(pixels[row % 1_000], row // 1_000).tolist())
                    text.write(f"{' '.join(words)} {labels[row]}\n".encode())
                    row += 1
    sha1 = pooch.file_hash(path, alg="sha1")
    rows = {"train": 10_000, "valid": 2_000, "test": 50_000}
    monkeypatch.setattr(download, "OFFICIAL", download.Archive(server.url, path.stat().st_size, sha1, rows))
    first = 0
    for mode, count in rows.items():
        images, classes = download.official(mode, tmp_path)
        assert np.array_equal(classes, labels[first : first + count])
        for start in range(0, count, 1_000):
            expected = values[np.roll(pixels, (first + start) // 1_000, axis=1)].reshape(-1, 28, 28)
            assert np.abs(images[start : start + 1_000] - expected).max() < 1e-7
        first += count
    assert server.ranges == []
