"""The official rotated MNIST: downloaded once, verified, parsed once, and kept as arrays.

`official` is all that others call. What it leaves in the cache folder:

    mnist_rotation_new.zip.part   the beginning of an interrupted download, which the next call continues
    mnist_rotation_new.zip        the archive, verified (58 MB); one that was put there by hand is used as well
    mnist_rotation_new.npz        the arrays, made from it once (about 40 MB); this is what later calls read

Pixels are stored as float32, as the data set holds them: what is lost is what float32 loses of the archive's decimals,
6e-8 at most (uint8 would lose half a grey level, 2e-3, and save 25 MB). Progress is printed on stdout, never on stderr.
"""

import contextlib
import errno
import io
import itertools
import os
import re
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
import requests
from tqdm import tqdm

try:
    import fcntl
except ImportError:  # Windows: two processes that download at once can spoil the archive, which its hash then shows
    fcntl = None

NAME = "mnist_rotation_new"
FILES = {
    "mnist_all_rotation_normalized_float_train_valid.amat": ("train", "valid"),
    "mnist_all_rotation_normalized_float_test.amat": ("test",),
}


@dataclass(frozen=True)
class Archive:
    """An archive with the official one's layout: the two files of `FILES`, 784 pixels and a label in each row."""

    url: str  # where it is
    size: int  # of the zip file, in bytes
    sha1: str  # of the zip file
    rows: dict[str, int]  # how many digits each mode has, in the order of the rows


OFFICIAL = Archive(
    url="http://www.iro.umontreal.ca/~lisa/icml2007data/mnist_rotation_new.zip",
    size=58_424_278,
    sha1="e67f72fa42029f62fd8eb92b0638c1b9761c9a63",
    rows={"train": 10_000, "valid": 2_000, "test": 50_000},
)
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of the answer
ATTEMPTS = 5  # connections in one call; each must bring the download further
PAUSE = 1.0  # seconds before the next attempt
PIECE = 1 << 14  # bytes read from the network at a time; a lost connection takes an incomplete piece with it
BLOCK = 1_000  # rows parsed at a time: 25 MB of text at most
TOLERANCE = 1e-4  # how far a pixel may lie outside [0, 1] by rounding; it is then moved to the border


def official(mode: str, cache: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """The official digits of one mode, downloaded and parsed the first time.

    Args:
        mode: "train", "valid" or "test".
        cache: folder for the archive and the arrays; made if it does not exist.

    Returns:
        Images ``(N, 28, 28)``, float32 in [0, 1], and labels ``(N,)``, uint8.

    Raises:
        RuntimeError: the digits cannot be had, with the cause and what to do about it.
    """
    archive, folder = OFFICIAL, Path(cache).expanduser()
    store = folder / f"{NAME}.npz"
    found = _stored(store, mode, archive)
    if found is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                found = _stored(store, mode, archive)  # another process may have made it while this one waited
                if found is None:
                    arrays = _parse(_fetch(archive, folder), archive)
                    _store(store, arrays, archive)
                    found = arrays[f"{mode}_images"], arrays[f"{mode}_labels"]
        except OSError as error:
            raise _of_the_folder(error, folder) from error
    return found


def _failure(what: str, remedy: str) -> RuntimeError:
    """Two sentences: what happened, and what to do, the bundled digits always among it."""
    bundled = 'MnistRotDataset(mode) without source="official"'
    return RuntimeError(f"{what}. {remedy}, or use the digits that come with the course: {bundled}.")


def _of_the_folder(error: OSError, folder: Path) -> RuntimeError:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return _failure(
            f"The disk is full: the official rotated MNIST needs about 120 MB in {folder}",
            "Make room and run this again (what has been downloaded is kept)",
        )
    return _failure(
        f"The folder {folder} cannot be used for the official rotated MNIST ({error.strerror or error})",
        "Name another folder, in the argument cache or the environment variable GCNN_CACHE",
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time download into this folder; the lock goes with the process, however it ends."""
    with open(folder / f"{NAME}.lock", "ab") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"Another process is filling {folder}; waiting for it.", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                pass  # a file system without locks
        yield


def _progress(total: int, label: str, unit: str, first: int = 0) -> tqdm:
    """A bar on stdout where someone watches it; elsewhere only the line that says what is done."""
    notebook = type(sys.stdout).__module__.startswith(("ipykernel", "google.colab"))
    print(label, flush=True)
    return tqdm(
        total=total,
        initial=first,
        unit=unit,
        unit_scale=True,
        ncols=80,
        mininterval=0.5,
        file=sys.stdout,
        disable=not (notebook or sys.stdout.isatty()),
    )


@dataclass(frozen=True)
class ResumingDownloader:
    """Download a file of known size over HTTP for pooch, going on where an earlier attempt stopped."""

    size: int  # the file's, in bytes
    part: Path  # where the beginning of the file is kept until all of it is there

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Write the file to ``output_file``, its size verified; pooch then verifies its hash.

        Raises:
            RuntimeError: the file cannot be had; what has come stays in ``part``, unless it is wrong.
        """
        if self._have() > self.size:
            self.part.unlink()
        have, lost = self._have(), None
        with _progress(self.size, f"Downloading {url} ({self.size / 1e6:.0f} MB)", "B", have) as bar:
            for attempt in range(ATTEMPTS):
                if have == self.size:
                    break
                if attempt:
                    time.sleep(PAUSE)
                lost = self._attempt(url, have, bar)
                before, have = have, self._have()
                if have <= before:
                    break
        if have < self.size:
            if have == 0:
                what = f"{url} cannot be reached" if lost else f"{url} sent nothing"
            else:
                what = f"The download of {url} stopped after {have:,} of {self.size:,} bytes, which are kept"
            raise _failure(
                what + (f" ({type(lost).__name__})" if lost else ""),
                f"Run this again when the network is back, put the archive into {self.part.parent} by hand",
            )
        os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _attempt(self, url: str, have: int, bar: tqdm) -> requests.RequestException | None:
        """One connection: add to ``part`` what comes; returns why the connection was lost, if it was."""
        try:
            with self._open(url, have) as response:
                self._receive(response, url, have, bar)
        except requests.RequestException as error:
            return error
        return None

    def _open(self, url: str, have: int) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}  # compressed on the way, lengths would mean something else
        if have:
            response = requests.get(url, headers=headers | {"Range": f"bytes={have}-"}, stream=True, timeout=TIMEOUT)
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                return response
            response.close()
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)

    def _receive(self, response: requests.Response, url: str, have: int, bar: tqdm) -> None:
        again = "Try again later"
        if response.status_code not in (requests.codes.ok, requests.codes.partial_content):
            raise _failure(f"{url} answered {response.status_code} {response.reason}", again)
        pieces = response.iter_content(PIECE)
        if response.status_code == requests.codes.partial_content:
            place = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
            if place is None or int(place[1]) != have:
                self.part.unlink(missing_ok=True)
                raise _failure(f"{url} sent another part of the file than asked for", "Run this again to start over")
            total = place[2]
        else:
            # All of it, from the start. Nothing that is there already is given up before this looks like the archive.
            first = next(pieces, b"")
            if not first:
                return
            if not first.startswith(b"PK"):
                kind = response.headers.get("Content-Type", "something unnamed").split(";")[0]
                raise _failure(
                    f"{url} sent {kind} instead of a zip archive, perhaps the page of a network that wants a login",
                    "Open any web page to see whether one does and run this again",
                )
            pieces, have = itertools.chain([first], pieces), 0
            total = response.headers.get("Content-Length", "*")
        other = f"{url} is another file than the official archive, which has {self.size:,} bytes: it has"
        if total.isdigit() and int(total) != self.size:
            raise _failure(f"{other} {int(total):,}", again)
        bar.n = have
        with open(self.part, "ab" if have else "wb") as file:
            for piece in pieces:
                have += len(piece)
                if have > self.size:
                    break
                file.write(piece)
                bar.update(len(piece))
        if have > self.size:
            self.part.unlink()
            raise _failure(f"{other} more", again)


def _fetch(archive: Archive, folder: Path) -> Path:
    """The verified archive, downloaded unless it is there."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # its reports go to stderr
    try:
        return Path(
            pooch.retrieve(
                archive.url,
                f"sha1:{archive.sha1}",
                fname=f"{NAME}.zip",
                path=folder,
                downloader=ResumingDownloader(archive.size, folder / f"{NAME}.zip.part"),
            )
        )
    except ValueError as error:  # pooch found another hash, and has deleted the file
        raise _failure(
            f"What was downloaded from {archive.url} is damaged or another file (its sha1 is not {archive.sha1}) "
            "and has been deleted",
            "Run this again to start over",
        ) from error
    finally:
        logger.setLevel(level)


def _parse(path: Path, archive: Archive) -> dict[str, np.ndarray]:
    """Images and labels of every mode, under the names that `_store` gives them."""
    arrays, remedy = {}, "Delete it and run this again"
    try:
        with (
            zipfile.ZipFile(path) as file,
            _progress(sum(archive.rows.values()), f"Reading {path}, once", " rows") as bar,
        ):
            names = {Path(name).name: name for name in file.namelist()}
            for name, modes in FILES.items():
                with file.open(names[name]) as text:
                    images, labels = _read(io.BufferedReader(text, 1 << 20), sum(archive.rows[m] for m in modes), bar)
                first = 0
                for mode in modes:
                    part = slice(first, first + archive.rows[mode])
                    arrays[f"{mode}_images"], arrays[f"{mode}_labels"] = images[part], labels[part]
                    first = part.stop
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _failure(f"{path} is damaged ({error})", remedy) from error
    except KeyError as error:
        raise _failure(f"{path} is another archive: it has no {error.args[0]}", remedy) from error
    except ValueError as error:
        raise _failure(f"{name} in {path} is not what it should be: {error}", remedy) from error
    return arrays


def _read(text: io.BufferedReader, count: int, bar: tqdm) -> tuple[np.ndarray, np.ndarray]:
    """Parse ``count`` rows of 784 pixels and a label.

    Raises:
        ValueError: another layout, with the rows where it was found.
    """
    images, labels = np.empty((count, 28, 28), np.float32), np.empty(count, np.uint8)
    rows = (line for line in text if not line.isspace())
    done = 0
    while lines := list(itertools.islice(rows, BLOCK)):
        first, done = done, done + len(lines)
        where = f"rows {first + 1:,} to {done:,}"
        if done > count:
            raise ValueError(f"it has more than {count:,} rows")
        try:
            table = np.loadtxt(lines, np.float32, comments=None, ndmin=2, encoding="latin1")
        except ValueError as error:
            raise ValueError(f"{where} are not 785 numbers each ({error})") from error
        if table.shape[1] != 785:
            raise ValueError(f"{where} are {table.shape[1]} numbers each, expected 785")
        pixels, classes = table[:, :-1], table[:, -1]
        if not ((pixels >= -TOLERANCE) & (pixels <= 1 + TOLERANCE)).all():
            raise ValueError(f"{where} have pixels outside [0, 1]")
        if not np.isin(classes, np.arange(10)).all():
            raise ValueError(f"{where} have labels other than 0 to 9")
        images[first:done] = pixels.clip(0, 1).reshape(-1, 28, 28)
        labels[first:done] = classes
        bar.update(len(lines))
    if done < count:
        raise ValueError(f"it has {done:,} rows, expected {count:,}")
    return images, labels


def _store(path: Path, arrays: dict[str, np.ndarray], archive: Archive) -> None:
    """Write the arrays beside their place and move them there when they are complete."""
    beside = path.with_name(f"{path.name}.tmp")
    try:
        with open(beside, "wb") as file:
            np.savez_compressed(file, sha1=np.array(archive.sha1), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _stored(path: Path, mode: str, archive: Archive) -> tuple[np.ndarray, np.ndarray] | None:
    """What `_store` wrote, or ``None`` where it is missing, damaged or made from another archive."""
    try:
        with np.load(path, allow_pickle=False) as file:
            sha1, images, labels = file["sha1"], file[f"{mode}_images"], file[f"{mode}_labels"]
        if sha1 != archive.sha1 or images.shape != (archive.rows[mode], 28, 28) or len(labels) != len(images):
            raise ValueError("not made from the official archive")
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a damaged file makes NumPy say: there is one remedy
        print(f"{path} cannot be used ({type(error).__name__}); making it again.", flush=True)
        return None
    return images, labels
