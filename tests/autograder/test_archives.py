"""Unpacking what strangers packed: nothing outside of the folder, plain files only, no more than fits, no crash."""

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest

from autograder.archives import Budget, Damaged, Refused, TooLarge, has_suffix, is_junk, members
from autograder.shelf import Shelf, safe_path

ZEROS = b"\0" * 1_000_000


def zipped(*files, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content)."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content, compression)
    return result.getvalue()


def tarred(*infos, mode="w"):
    """A tar of (TarInfo, content)."""
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode=mode) as archive:
        for info, content in infos:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return result.getvalue()


def tar_info(name, kind=tarfile.REGTYPE, link=""):
    """A tar's header."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.fixture
def unpacked(tmp_path):
    """Puts an archive on a shelf, and returns the shelf."""

    def unpack(data, name="work.zip", **budget):
        (tmp_path / "shelf").mkdir()
        path = tmp_path / name
        path.write_bytes(data)
        shelf = Shelf(tmp_path / "shelf", Budget(**budget))
        before = {entry for entry in tmp_path.rglob("*") if shelf.folder not in entry.parents}
        for member in members(path):
            shelf.put(member.name, member)
        assert {entry for entry in tmp_path.rglob("*") if shelf.folder not in entry.parents} == before
        assert not [entry for entry in shelf.folder.rglob("*") if entry.is_symlink()]
        return shelf

    return unpack


def files(shelf):
    """The files on a shelf: content by path."""
    found = (path for path in shelf.folder.rglob("*") if path.is_file())
    return {path.relative_to(shelf.folder).as_posix(): path.read_bytes() for path in found}


OUT = ["../x", "a/../../x", "/etc/x", "C:\\x", "c:x", "..\\..\\x", "\\\\server\\share\\x", "..", "a/" * 21 + "x"]


@pytest.mark.parametrize("name", OUT)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_path_that_leads_out_is_refused(name, kind, unpacked):
    """Is a file whose path leads anywhere else left out, with its name, and the rest taken?"""
    if kind == "zip":
        shelf = unpacked(zipped((name, b"bad"), ("good.txt", b"good")))
    else:
        shelf = unpacked(tarred((tar_info(name), b"bad"), (tar_info("good.txt"), b"good")), "work.tar")
    assert files(shelf) == {"good.txt": b"good"}
    assert len(shelf.notes) == 1 and shelf.notes[0].startswith(f"{name} ")


@pytest.mark.parametrize("name", ["", ".", "./.", "//", "\\", "../..", "a" * 1001])
def test_no_name_is_no_path(name):
    """Is a name that leads nowhere refused?"""
    with pytest.raises(Refused):
        safe_path(name)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a\\b\\c.txt", "a/b/c.txt"),
        ("cafe\u0301.txt", "caf\u00e9.txt"),
        ("invoice\u202egpj.exe", "invoice_gpj.exe"),
        ("zero\u200bwidth", "zero_width"),
        ("new\nline\t\x1b[2J\0", "new_line___2J_"),
        ('*?[a]<b>|c"d', "___a__b__c_d"),
        ("CON", "_CON"),
        ("aux.txt/nul", "_aux.txt/_nul"),
        ("ends. . .", "ends_"),
        ("a//./b", "a/b"),
        ("\ud800lone", "_lone"),
    ],
)
def test_a_name_that_could_be_misread_is_changed(name, safe):
    """Is what a terminal, a pattern or another system would read differently replaced?"""
    assert safe_path(name) == safe


def test_long_names_are_cut_and_keep_their_suffix():
    """Does a name of 300 characters fit a file system, and is a notebook still one?"""
    assert len(safe_path("é" * 300 + ".ipynb").encode()) <= 120
    assert safe_path("é" * 300 + ".ipynb").endswith("é.ipynb")
    with pytest.raises(Refused):
        safe_path("a/" * 600)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_are_read(mode, unpacked):
    """Are plain and compressed tars unpacked?"""
    name = {"w": "a.tar", "w:gz": "a.tar.gz", "w:bz2": "a.tbz2", "w:xz": "a.tar.xz"}[mode]
    shelf = unpacked(tarred((tar_info("a/b.txt"), b"x"), (tar_info("c"), b"y" * 100_000), mode=mode), name)
    assert files(shelf) == {"a/b.txt": b"x", "c": b"y" * 100_000}
    assert shelf.notes == []


def test_links_and_devices_in_a_tar_are_refused(unpacked):
    """Is nothing but plain files taken from a tar, and is the rest named?"""
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    bad = [(tar_info(f"bad{i}", kind, "/etc/passwd"), b"") for i, kind in enumerate(kinds)]
    # A link, and then a file through it.
    through = [(tar_info("d", tarfile.SYMTYPE, "/tmp"), b""), (tar_info("d/through.txt"), b"t")]
    shelf = unpacked(tarred(*bad, *through, (tar_info("good"), b"g")), "work.tar")
    assert files(shelf) == {"d/through.txt": b"t", "good": b"g"}
    assert [note.split()[0] for note in shelf.notes] == ["bad0", "bad1", "bad2", "bad3", "bad4", "d"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(kind, unpacked):
    """Is an entry that claims to be a link or a device neither made nor read?"""
    info = zipfile.ZipInfo("bad")
    info.external_attr = (kind | 0o777) << 16
    shelf = unpacked(zipped((info, b"/etc/passwd"), ("good", b"g")))
    assert files(shelf) == {"good": b"g"}
    assert shelf.notes == ["bad is a link" if kind == stat.S_IFLNK else "bad is no plain file"]


def test_a_folder_with_links_is_read_without_following_them(tmp_path):
    """Are links, FIFOs and what links lead to left out of a folder?"""
    folder, secret = tmp_path / "downloads", tmp_path / "secret"
    folder.mkdir()
    secret.mkdir()
    (secret / "s.txt").write_text("s")
    (folder / "good").write_text("g")
    (folder / "file").symlink_to(secret / "s.txt")
    (folder / "folder").symlink_to(secret)
    os.mkfifo(folder / "fifo")
    found = {member.name: member.refusal for member in members(folder)}
    assert found.pop("good") == ""
    assert set(found) == {"file", "folder", "fifo"}
    assert all(found.values())


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path):
    """Is a link that takes a file's place after it was looked at still not followed?"""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("f")
    (member,) = members(tmp_path / "d")
    (tmp_path / "d" / "f").unlink()
    (tmp_path / "d" / "f").symlink_to("/etc/passwd")
    with pytest.raises(Damaged):
        list(member.blocks())


def test_archives_in_archives_are_unpacked_to_a_depth(unpacked):
    """Are three archives in one another unpacked, and is a fourth left packed and named?"""
    inner = zipped(("deepest.txt", b"d"))
    for level in ("four", "three", "two", "one"):
        inner = zipped((f"{level}.zip", inner), (f"{level}.txt", level.encode()))
    shelf = unpacked(inner)
    deep = "one/two/three/four"
    assert set(files(shelf)) == {"one.txt", "one/two.txt", "one/two/three.txt", f"{deep}.txt", f"{deep}.zip"}
    assert any("four.zip lies in too many archives" in note for note in shelf.notes)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04 no zip", "cannot be read"),
        (b"nothing like it", "is no zip"),
        (b"\x1f\x8b no gzip", "cannot be read"),
    ],
)
def test_a_damaged_archive_in_an_archive_is_kept_and_named(data, why, unpacked):
    """Does it lie there as it came, with a note, and is the rest taken?"""
    shelf = unpacked(zipped(("inner.zip", data), ("good", b"g")))
    assert files(shelf) == {"inner.zip": data, "good": b"g"}
    assert shelf.notes[0].startswith("inner.zip") and why in shelf.notes[0]


def test_what_is_in_an_archive_that_was_not_taken_whole_is_not_lost(unpacked):
    """Is the archive itself kept when something in it was refused?"""
    inner = zipped(("../x", b"bad"), ("y", b"y"))
    shelf = unpacked(zipped(("inner.zip", inner)))
    assert files(shelf) == {"inner.zip": inner, "inner/y": b"y"}


def test_a_small_archive_of_much_is_refused_while_reading(unpacked, tmp_path):
    """Does unpacking stop at a ratio that no honest archive has, long before the end?"""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as file:
        for _ in range(60):
            file.write(ZEROS)
    with pytest.raises(TooLarge, match="200 times its size"):
        unpacked(zipped(("bomb.zip", bomb.getvalue())))
    assert sum(path.stat().st_size for path in (tmp_path / "shelf").rglob("*") if path.is_file()) < 21e6


def test_a_name_that_its_suffix_makes_harmless(unpacked):
    """Are "...zip" and "..zip", whose names without the suffix are ".." and ".", unpacked below the shelf only?"""
    inner = zipped(("victim/gcnn.ipynb", b"bad"))
    for _ in range(3):
        inner = zipped(("...zip", inner))
    shelf = unpacked(zipped(("...zip", inner), ("a/..zip", zipped(("x", b"x"))), ("a/x", b"y")))
    found = files(shelf)
    assert found["a/_/x"] == b"x" and found["a/x"] == b"y"
    assert not [name for name in found if ".." in name.split("/")]


ROUND_ONE = ["①.txt", "①.txt", "① (earlier 1).txt"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [ROUND_ONE, ["..a", "..a", "..A (EARLIER 1)"], ["d/a (earlier 1)/b", "d/a", "d/a"]])
def test_what_is_put_aside_is_in_nobodys_way(names, unpacked):
    """Are files kept where one is named as an earlier one that was put aside is?"""
    shelf = unpacked(zipped(*((name, str(number).encode()) for number, name in enumerate(names))))
    assert sorted(files(shelf).values()) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("name", ["timestamp.txt", "TIMESTAMP.TXT", "gcnn.ipynb", "x.IPYNB"])
def test_a_folder_is_in_no_files_way(name, unpacked):
    """Does a folder, packed or not, leave the place of the notebook and of the date free?"""
    shelf = unpacked(zipped((f"{name}/a", b"a"), (f"{name}.zip", zipped(("b", b"b"))), ("deep/" + name + "/c", b"c")))
    assert sorted(files(shelf).values()) == [b"a", b"b", b"c"] and f"deep/{name}/c" in files(shelf)
    assert name not in os.listdir(shelf.folder)


def test_a_size_is_counted_and_not_believed(unpacked):
    """Does a header that claims a small size help a large file?"""
    data = bytearray(zipped(("zeros", ZEROS), compression=zipfile.ZIP_STORED))
    claimed = (1_000_000).to_bytes(4, "little")
    assert data.count(claimed) == 4  # packed and unpacked, in both headers
    with pytest.raises(TooLarge):
        unpacked(bytes(data), room=999_999)


def test_a_header_that_lies_is_damage(unpacked):
    """Is a file whose size is not what its header says left out?"""
    data = zipped(("zeros", ZEROS), ("good", b"g"))
    directory = data.index(b"PK\x01\x02")
    claimed = (1_000_000).to_bytes(4, "little")
    at = data.index(claimed, directory)
    shelf = unpacked(data[:at] + (10).to_bytes(4, "little") + data[at + 4 :])
    assert files(shelf) == {"good": b"g"}
    assert shelf.notes == ["zeros cannot be read (BadZipFile)"]


def test_entries_that_share_their_bytes_do_not_multiply(unpacked):
    """Is the total bounded where a thousand entries point to the same data?"""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0", ZEROS)
        first = archive.filelist[0]
        for number in range(1, 100):
            twin = zipfile.ZipInfo(str(number))
            for slot in ("header_offset", "CRC", "compress_size", "file_size", "compress_type", "flag_bits"):
                setattr(twin, slot, getattr(first, slot))
            archive.filelist.append(twin)
    # The local header names another file, which zipfile sees.
    shelf = unpacked(buffer.getvalue(), room=2_000_000)
    assert set(files(shelf)) <= {"0"} and len(shelf.notes) >= 99


def test_of_too_many_files_only_notebooks_are_taken(unpacked):
    """Does a hand-in with a whole environment in it keep its notebook, and is that said once?"""
    inner = zipped(*((f"venv/{i}", b"") for i in range(30)), ("gcnn.ipynb", b"{}"))
    shelf = unpacked(zipped(("work.zip", inner)), files=10)
    assert set(files(shelf)) == {"work.zip", "work/gcnn.ipynb", *(f"work/venv/{i}" for i in range(9))}
    assert len(shelf.notes) == 1 and "only notebooks are taken" in shelf.notes[0]


def test_too_many_notebooks_are_refused(unpacked):
    """Is there an end to notebooks, too?"""
    with pytest.raises(TooLarge, match="more files"):
        unpacked(zipped(*((f"{i}.ipynb", b"") for i in range(112))), files=10)


def test_a_tar_that_claims_an_enormous_header_is_damage(tmp_path):
    """Is a header of a gigabyte, compressed to nothing, not read into memory?"""
    huge = tar_info("x", tarfile.XHDTYPE)
    huge.size = 2**30
    path = tmp_path / "huge.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(huge.tobuf())
        for _ in range(70):
            file.write(ZEROS)
    with pytest.raises(Damaged, match="far too large"):
        list(members(path))


def packed(*pieces, compress=bz2.compress):
    """A compressed tar of raw headers and contents, as no program writes it."""
    return compress(b"".join(piece + bytes(-len(piece) % 512) for piece in (*pieces, bytes(1024))))


def header(name, kind=tarfile.REGTYPE, size=0):
    """A tar's header, raw."""
    info = tar_info(name, kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def test_long_names_are_cut_before_they_are_noted(unpacked):
    """Are a few hundred bytes that hold links of a megabyte's name each refused in little memory, link by link?"""
    name = b"n" * 1_000_000
    link = [header("././@LongLink", tarfile.GNUTYPE_LONGNAME, len(name)), name, header("n", tarfile.SYMTYPE)]
    data = packed(*(link * 15), header("good.txt", size=1), b"g")
    assert len(data) < 2000
    tracemalloc.start()
    shelf = unpacked(tarred((tar_info("small.tar.bz2"), data)), "outer.tar")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    assert files(shelf) == {"small.tar.bz2": data, "small/good.txt": b"g"}
    assert len(shelf.notes) == 15 and max(map(len, shelf.notes)) < 300
    assert shelf.notes[0].startswith("small.tar.bz2: nnn") and shelf.notes[0].endswith("n… is a link")


def test_more_bytes_of_names_than_a_hand_in_may_have_are_refused(unpacked):
    """Does what a tar says of its files count as what is in them does, where nothing is taken?"""
    name = b"n" * 1_000_000
    link = [header("././@LongLink", tarfile.GNUTYPE_LONGNAME, len(name)), name, header("n", tarfile.SYMTYPE)]
    with pytest.raises(TooLarge, match="200 times its size"):
        unpacked(zipped(("small.tar.bz2", packed(*(link * 25)))))


def test_a_header_of_many_headers_is_damage(unpacked):
    """Is there an end to what belongs to one file, where each part of it is small?"""
    name = b"n" * 100_000
    data = packed(*([header("././@LongLink", tarfile.GNUTYPE_LONGNAME, len(name)), name] * 20), header("n"))
    shelf = unpacked(zipped(("small.tar.bz2", data)))
    assert files(shelf) == {"small.tar.bz2": data}
    assert shelf.notes == ["small.tar.bz2 has a directory that is far too large"]


def test_after_a_hundred_notes_they_are_counted(unpacked):
    """Are notes beyond a hundred not kept, but their number?"""
    shelf = unpacked(tarred(*((tar_info(f"l{i}", tarfile.SYMTYPE), b"") for i in range(130))), "work.tar")
    assert len(shelf.notes) == 100 and shelf.more_notes == 30


ENTRIES = {
    "links": [(tar_info(f"l{i}", tarfile.SYMTYPE), b"") for i in range(60)],
    "folders": [(tar_info(f"f{i}", tarfile.DIRTYPE), b"") for i in range(60)],
    "junk": [(tar_info(f"__MACOSX/{i}"), b"") for i in range(60)],
    "files": [(tar_info(f"{i}.txt"), b"") for i in range(60)],
}


@pytest.mark.parametrize("kind", ENTRIES)
@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_there_is_an_end_to_entries_of_which_none_is_taken(kind, suffix, unpacked):
    """Are links, folders, junk and files beyond the most counted, over all archives of a hand-in together?"""
    if suffix == "tar":
        inner = tarred(*ENTRIES[kind])
    else:
        infos = [zipfile.ZipInfo(f"{info.name}/" if info.isdir() else info.name) for info, _ in ENTRIES[kind]]
        for info in infos:
            info.external_attr = (stat.S_IFLNK if kind == "links" else 0) << 16
        inner = zipped(*((info, b"") for info in infos))
    outer = zipped((f"a.{suffix}", inner), (f"b.{suffix}", inner))
    with pytest.raises(TooLarge, match="than are looked at"):
        unpacked(outer, files=100, members=119)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_what_is_passed_over_has_an_end(mode, unpacked):
    """Is a tar refused in which an endless file is left out, which has to be unpacked to get behind it?"""
    bomb = tarred((tar_info("__MACOSX/zeros"), bytes(30_000_000)), (tar_info("x"), b"x"), mode=mode)
    with pytest.raises(TooLarge, match="more bytes"):
        unpacked(zipped((f"bomb.tar.{mode[2:]}", bomb)), room=2_900_000)


def test_a_negative_size_is_damage(unpacked):
    """Is a tar that leads back to where it was not read for ever?"""
    endless = bytearray(header("x"))
    endless[124:136] = tarfile.itn(-512, 12, tarfile.GNU_FORMAT)
    endless[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(endless))[0]
    shelf = unpacked(zipped(("a.tar", packed(header("good", size=1), b"g", bytes(endless), compress=bytes))))
    assert files(shelf)["a/good"] == b"g" and "makes no sense" in shelf.notes[-1]


@pytest.mark.parametrize("added", [b"2 " * 100_000 + b"=", b"1" * 300_000, b"300009 a=" + b"1" * 300_000])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE])
def test_what_pax_adds_cannot_stop_everything(added, kind, unpacked):
    """Is a pax header that tarfile reads for hours, or in all memory, damage at once?"""
    shelf = unpacked(zipped(("a.tar.bz2", packed(header("pax", kind, len(added)), added, header("x")))))
    assert len(files(shelf)) == 1 and "makes no sense" in shelf.notes[0]


def test_what_pax_adds_is_read(unpacked):
    """Are long names, and dates and notes that other programs put beside them, what they were?"""
    info = tar_info("long/" + "ä" * 100)
    info.pax_headers = {"SCHILY.xattr.user.note": "a=b\n7 c=d\n", "mtime": "1700000000.25"}
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "c"}) as archive:
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
        archive.addfile(tar_info("y"))
    shelf = unpacked(zipped(("a.tar.gz", data.getvalue())))
    assert sorted(files(shelf).values()) == [b"", b"x"] and shelf.notes == []


def test_a_file_with_holes_is_named(unpacked):
    """Is a sparse file, whose pieces may lie so that each is searched for, left out with the reason?"""
    holes = bytearray(header("holes", tarfile.GNUTYPE_SPARSE))
    holes[483:495] = b"%011o\0" % 10**9
    holes[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(holes))[0]
    shelf = unpacked(zipped(("a.tar", packed(bytes(holes), header("good", size=1), b"g", compress=bytes))))
    assert files(shelf)["a/good"] == b"g"
    assert shelf.notes == ["a.tar: holes is a file with holes, which is not unpacked"]


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_compression_is_named(kind, unpacked):
    """Is what zipfile would unpack into memory as a whole refused, before it is read?"""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("zeros", ZEROS * 30, kind)
        archive.writestr("good", b"g")
    tracemalloc.start()
    shelf = unpacked(tarred((tar_info("a.zip"), data.getvalue())), "outer.tar")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert files(shelf)["a/good"] == b"g" and "a/zeros" not in files(shelf) and peak < 10e6
    assert shelf.notes == ["a.zip: zeros is compressed in a way that is not unpacked: ask for an ordinary zip"]


def test_an_xz_of_several_parts_is_read_and_a_cut_one_is_damage(unpacked):
    """Is what several threads packed read to its end, and is an end that is missing said?"""
    noise = random.Random(1).randbytes(300_000)
    plain = packed(header("noise", size=len(noise)), noise, compress=bytes)
    parts = lzma.compress(plain[:100_000]) + bytes(8) + lzma.compress(plain[100_000:])
    shelf = unpacked(zipped(("a.tar.xz", parts), ("b.tar.xz", lzma.compress(plain)[:-1000])))
    assert files(shelf)["a/noise"] == noise and "b/noise" not in files(shelf)
    assert shelf.notes == ["b.tar.xz: noise cannot be read (EOFError)", "b.tar.xz cannot be read (EOFError)"]


def test_an_xz_that_asks_for_all_memory_is_damage(unpacked):
    """Is an xz refused that says that unpacking it takes 4 GB?"""
    data = bytearray(lzma.compress(tarred((tar_info("x"), b"x"))))
    assert data[14:16] == b"\x21\x01"  # LZMA2, and the size of its dictionary
    data[16] = 40
    end = 12 + data[12] * 4
    data[end : end + 4] = zlib.crc32(data[12:end]).to_bytes(4, "little")
    shelf = unpacked(zipped(("a.tar.xz", bytes(data))))
    assert shelf.notes == ["a.tar.xz cannot be read (LZMAError)"]


def test_an_encrypted_file_is_named(unpacked):
    """Is an encrypted file left out with the reason?"""
    data = bytearray(zipped(("secret.ipynb", b"s" * 50), ("good", b"g")))
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    shelf = unpacked(bytes(data))
    assert files(shelf) == {"good": b"g"}
    assert shelf.notes == ["secret.ipynb is encrypted"]


def test_of_two_files_of_one_name_the_last_counts_and_both_are_kept(unpacked):
    """Is a repeated name seen, also where only case or composition differ?"""
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("a.txt", b"1"), ("a.txt", b"2"), ("A.TXT", b"3"))
    shelf = unpacked(data)
    assert sorted(files(shelf).values()) == [b"1", b"2", b"3"]
    assert files(shelf)["A.TXT"] == b"3"
    assert len(shelf.notes) == 2 and "more than once" in shelf.notes[0]


def test_a_file_and_a_folder_of_one_name(unpacked):
    """Is what cannot both be there refused by name, in either order?"""
    shelf = unpacked(zipped(("a", b"1"), ("a/b", b"2"), ("c/d", b"3"), ("C", b"4")))
    assert files(shelf) == {"a": b"1", "c/d": b"3"}
    assert [note.split()[0] for note in shelf.notes] == ["a/b", "C"]


def test_a_timestamp_of_the_students_is_not_believed(unpacked):
    """Is a student's own timestamp.txt, in any case, kept under another name?"""
    shelf = unpacked(zipped(("TimeStamp.txt", b"2000-01-01"), ("sub/timestamp.txt", b"s")))
    assert files(shelf) == {"timestamp of the student.txt": b"2000-01-01", "sub/timestamp.txt": b"s"}
    assert "student's own" in shelf.notes[0]


def test_what_kinds_of_files_there_are():
    """Are suffixes and systems' own files told apart from what students hand in?"""
    assert has_suffix("A.TAR.GZ") and has_suffix("x.zip") and not has_suffix("x.ipynb")
    assert is_junk("__MACOSX/a/._x.ipynb") and is_junk("a\\Thumbs.db") and not is_junk("a/gcnn.ipynb")


def test_an_archive_of_a_kind_that_is_not_unpacked_is_named(unpacked):
    """Does a 7z stay as it is, with a note?"""
    shelf = unpacked(zipped(("work.7z", b"7z\xbc\xaf\x27\x1c")))
    assert files(shelf) == {"work.7z": b"7z\xbc\xaf\x27\x1c"}
    assert "ask for a zip" in shelf.notes[0]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_random_damage_never_crashes(kind, tmp_path):
    """Do 400 randomly damaged archives end in files or in a sentence, and in nothing outside?"""
    content = [(f"folder/{i}.txt", random.Random(i).randbytes(300)) for i in range(5)]
    if kind == "zip":
        whole = zipped(*content, ("inner.zip", zipped(*content)))
    else:
        whole = tarred(*((tar_info(name), data) for name, data in content))
    if kind == "tar.gz":
        whole = gzip.compress(whole)
    elif kind == "tar.xz":
        whole = lzma.compress(whole, check=lzma.CHECK_NONE)
    chance = random.Random(7)
    outcomes = {"whole": 0, "refused": 0}
    for number in range(400):
        data = bytearray(whole)
        for _ in range(chance.randint(0, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        path = tmp_path / f"x.{kind}"
        path.write_bytes(data)
        shelf = Shelf(tmp_path / str(number), Budget(room=10_000_000))
        shelf.folder.mkdir()
        try:
            for member in members(path):
                shelf.put(member.name, member)
            outcomes["whole"] += 1
        except Refused as error:
            assert str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"x.{kind}", *map(str, range(400))}
