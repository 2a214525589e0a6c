"""Tests of autograder.intake: what is left for nbgrader of a hand-in, what is put aside, and what is noted about it."""

import errno
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import product
from pathlib import Path
from threading import Thread

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from autograder import choice, damage, intake
from autograder.course import Course
from autograder.damage import complete
from autograder.errors import CourseError
from autograder.intake import Notes, clear, notes
from autograder.landing import land
from autograder.notebooks import ASSIGNMENT, as_released
from autograder.steps import prepared

BIN = Path(sys.executable).parent
NAME = f"{ASSIGNMENT}.ipynb"


@pytest.fixture(scope="module")
def good(source):
    """What a good student hands in, as a file."""
    return nbformat.writes(complete(source)).encode()


@pytest.fixture(scope="module")
def untouched(source):
    """The release, as a file."""
    return nbformat.writes(as_released(source)).encode()


@pytest.fixture
def folder(tmp_path):
    """Where a hand-in lies; empty."""
    folder = tmp_path / "submitted" / "ada" / ASSIGNMENT
    folder.mkdir(parents=True)
    return folder


def hand_in(folder, **files):
    """Put files in a hand-in's folder, clear it, and give the notes."""
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    found = [str(path) for path in folder.glob("*.ipynb")] or [str(folder / NAME)]
    clear(assignment=ASSIGNMENT, student="ada", notebooks=found)
    assert found == [str(folder / NAME)]
    return notes(folder, ASSIGNMENT)


def tree(folder):
    """Every file beside and in the hand-in, by its hash."""
    files = (path for path in folder.parent.rglob("*") if path.is_file())
    return {path.relative_to(folder.parent): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def aside(folder):
    """What was put aside, by name and content."""
    left_out = folder.with_name(f"{folder.name}.left-out")
    return {path.name: path.read_bytes() for path in left_out.iterdir() if path.name != "notes.json"}


def test_a_sound_hand_in_is_left_alone(folder, good):
    """Does a notebook that needs no repair keep its bytes, without notes or anything beside it?"""
    assert hand_in(folder, **{NAME: good}) == Notes()
    assert [path.name for path in folder.parent.iterdir()] == [ASSIGNMENT]
    assert (folder / NAME).read_bytes() == good


def test_a_repaired_notebook_takes_the_place_of_the_old_one(folder, good):
    """Is the old one put aside as it was, and the new one what every program reads?"""
    bad = good.decode().encode("utf-16") + b"\0"
    found = hand_in(folder, **{NAME: bad})
    assert "UTF-16" in found.repairs[0] and not found.unreadable
    assert aside(folder) == {f"0-{NAME}": bad}
    cells = nbformat.read(folder / NAME, as_version=4).cells
    assert [cell.source for cell in cells] == [cell.source for cell in nbformat.reads(good, as_version=4).cells]


def test_a_stand_in_takes_the_place_of_what_cannot_be_read(folder):
    """Is the reason noted, and the file kept?"""
    found = hand_in(folder, **{NAME: b"<html>"})
    assert "a web page" in found.unreadable
    assert aside(folder) == {f"0-{NAME}": b"<html>"}
    assert "a web page" in nbformat.read(folder / NAME, as_version=4).cells[0].source


@pytest.mark.parametrize(
    "files",
    [
        {NAME: b"\xef\xbb\xbf{}"},
        {NAME: b""},
        {"Gcnn.ipynb": "good"},
        {NAME: b"", "gcnn (1).ipynb": "good", "notes.txt": b"x"},
        {NAME: "good", "timestamp.txt": b"yesterday"},
        {NAME: "cut", "other.ipynb": "good"},
    ],
)
def test_twice_is_the_same_as_once(folder, good, files):
    """Does clearing again, and again, change neither a file nor the notes?"""
    found = hand_in(folder, **{k: {"good": good, "cut": good[:50_000]}.get(v, v) for k, v in files.items()})
    assert found != Notes()
    before = tree(folder)
    for _ in range(2):
        assert hand_in(folder) == found
        assert tree(folder) == before


def test_a_link_in_a_students_place_is_a_hand_in_without_a_notebook(folder, tmp_path, good):
    """Where a student's folder is a link to another's: is it left, the other's work untouched, and why noted?"""
    other = tmp_path / "other" / ASSIGNMENT
    other.mkdir(parents=True)
    assert hand_in(other, **{NAME: good}) == Notes()
    student = folder.parent.parent / "linked"
    student.symlink_to(other.parent, target_is_directory=True)
    found = hand_in(student / ASSIGNMENT, **{})
    assert "was a link" in found.repairs[0] and "there is no notebook" in found.unreadable
    assert (other / NAME).read_bytes() == good and not student.is_symlink()


def test_notes_hold_for_their_notebook_only(folder, good):
    """Are the notes of an earlier hand-in nothing to a later one, and are new ones made?"""
    assert hand_in(folder, **{NAME: b""}).unreadable
    (folder / NAME).write_bytes(good)
    assert notes(folder, ASSIGNMENT) == Notes()
    assert hand_in(folder) == Notes()
    assert "byte-order" in hand_in(folder, **{NAME: b"\xef\xbb\xbf" + good}).repairs[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"sha256": 3}', '{"sha256": "SHA", "repairs": 3}'])
def test_damaged_notes_are_none(folder, good, text):
    """Are notes that were cut off, or are something else, as good as none?"""
    (folder / NAME).write_bytes(good)
    left_out = folder.with_name(f"{folder.name}.left-out")
    left_out.mkdir()
    (left_out / "notes.json").write_text(text.replace("SHA", hashlib.sha256(good).hexdigest()))
    assert notes(folder, ASSIGNMENT) == Notes()


def test_a_hand_in_cannot_write_notes_about_itself(folder, source, good):
    """Do a hand-in's own notes, and what its notebook's metadata claim, count for nothing?"""
    notebook = nbformat.reads(good, as_version=4)
    notebook.metadata["course"] = {"unreadable": "please grade by hand", "repairs": ["x"], "lost": {"c4": "x"}}
    data = nbformat.writes(notebook).encode()
    forged = {"sha256": hashlib.sha256(data).hexdigest(), "repairs": [], "unreadable": "forged", "incomplete": ""}
    files = {
        f"{ASSIGNMENT}.left-out/notes.json": json.dumps(forged).encode(),
        "notes.json": json.dumps(forged).encode(),
    }
    assert hand_in(folder, **{NAME: data, **files}) == Notes()
    course = prepared(nbformat.read(folder / NAME, as_version=4), source, notes(folder, ASSIGNMENT)).metadata.course
    assert course.repairs == [] and "unreadable" not in course and "lost" not in course


@pytest.mark.parametrize(
    "name", ["gcnn (1).ipynb", "Gcnn.ipynb", "my_solution.ipynb", "gcnn.ipynb.txt", "inside/gcnn.ipynb", "x.IPYNB"]
)
def test_the_only_notebook_counts_under_any_name(folder, good, name):
    """Is a renamed notebook taken, its name noted, and nothing lost?"""
    found = hand_in(folder, **{name: good})
    assert found == Notes((f"there is no notebook {NAME}: {name!r} counts in its place",))
    assert (folder / NAME).read_bytes() == good
    assert not (folder / name).exists() and list(aside(folder).values()) == [good]


def test_of_several_notebooks_the_assignments_name_counts(folder, good, untouched):
    """Does the right name count, and are the others named?"""
    found = hand_in(
        folder, **{NAME: good, "gcnn-old.ipynb": untouched, ".ipynb_checkpoints/gcnn-checkpoint.ipynb": good}
    )
    assert found.repairs == (f"{NAME} counts, which has the assignment's name; also handed in: 'gcnn-old.ipynb'",)
    assert (folder / NAME).read_bytes() == good


def test_an_answered_notebook_counts_before_the_release(folder, good, untouched):
    """Is a student's work found who handed in the release under its own name, and the work under another?"""
    found = hand_in(folder, **{NAME: untouched, "work.ipynb": good})
    assert found.repairs == (f"{NAME} is as it was released: 'work.ipynb' counts in its place",)
    assert (folder / NAME).read_bytes() == good and sorted(aside(folder).values()) == sorted([good, untouched])


def test_a_notebook_whose_ids_are_lost_is_not_taken_for_the_release(folder, good, untouched):
    """Does the assignment's name count where one cannot tell what was answered?"""
    stripped = json.loads(good)
    for cell in stripped["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    stripped["nbformat_minor"] = 4
    data = json.dumps(stripped).encode()
    assert "has the assignment's name" in hand_in(folder, **{NAME: data, "older.ipynb": good}).repairs[0]
    assert (folder / NAME).read_bytes() == data


def test_a_readable_notebook_counts_before_one_that_is_not(folder, good):
    """Does an empty file of the right name not hide another that can be read?"""
    found = hand_in(folder, **{NAME: b"", "gcnn (1).ipynb": good})
    assert f"{NAME} cannot be read (the notebook's file is empty): 'gcnn (1).ipynb' counts" in found.repairs[0]
    assert (folder / NAME).read_bytes() == good and sorted(aside(folder).values()) == [b"", good]


def test_of_several_names_the_fullest_counts_with_the_reason(folder, good, untouched):
    """Is it said which of several counts and why: what is in it, else its name?"""
    other = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Chemistry")])).encode()
    found = hand_in(folder, **{"a.ipynb": other, "b.ipynb": untouched, "z.ipynb": good})
    assert "'z.ipynb' counts in its place, of 3 notebooks, since most of the assignment is in it" in found.repairs[0]
    assert (folder / NAME).read_bytes() == good
    os.remove(folder / NAME)
    found = hand_in(folder, **{"a.ipynb": good, "gcnn_2.ipynb": good})
    assert "'gcnn_2.ipynb' counts in its place, of 3 notebooks, since its name is most like" in found.repairs[0]


def test_names_are_shown_harmless(folder, good):
    """Do line ends, escapes and markup in a file's name come through as one line of plain characters?"""
    found = hand_in(folder, **{"\x1b[2J\n\u202eevil.ipynb": good})
    assert found.repairs == (f"there is no notebook {NAME}: '\ufffd[2J\ufffd\ufffdevil.ipynb' counts in its place",)


def test_no_notebook_at_all_is_said(folder):
    """Is a hand-in without a notebook, or with unreadable ones only, not graded, with the reason?"""
    assert hand_in(folder, **{"readme.txt": b"x"}).unreadable == f"there is no notebook {NAME}"
    (folder / NAME).unlink()
    reason = hand_in(folder, **{"other.ipynb": b""}).unreadable
    assert (
        reason == f"there is no notebook {NAME}, and 'other.ipynb' cannot be read either: the notebook's file is empty"
    )


def killed(monkeypatch, steps, error=KeyboardInterrupt):
    """Stop whoever calls the disk after some steps of changing or syncing anything, with an error, once."""
    left = [steps]

    def instead(call, *arguments, **more):
        left[0] -= 1
        if left[0] == -1:
            raise error
        return call(*arguments, **more)

    for owner, name in ((os, "replace"), (os, "rename"), (os, "fsync"), (intake.shutil, "copyfile")):
        monkeypatch.setattr(owner, name, partial(instead, getattr(owner, name)))


@pytest.mark.parametrize(
    "files",
    [
        {NAME: "bad"},
        {"Gcnn.ipynb": "bad"},
        {"Gcnn.ipynb": "good"},
        {NAME: "page"},
        {NAME: "untouched", "work.ipynb": "bad"},
    ],
)
def test_an_interrupted_clearing_is_made_good(folder, good, untouched, monkeypatch, files):
    """Is a hand-in the same at the end if clearing it was killed at any of its steps, and is nothing of it lost?"""
    contents = {"bad": b"\xef\xbb\xbf" + good, "good": good, "page": b"<html>", "untouched": untouched}
    files = {name: contents[content] for name, content in files.items()}
    expected = hand_in(folder, **files), (folder / NAME).read_bytes()
    for steps in range(40):
        for path in sorted(folder.parent.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.mkdir()
        with monkeypatch.context() as patch:
            killed(patch, steps)
            try:
                interrupted = hand_in(folder, **files)
            except KeyboardInterrupt:
                interrupted = None
        assert (hand_in(folder), (folder / NAME).read_bytes()) == expected, steps
        left = [path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()]
        assert all(content in left for content in files.values()), steps
        if interrupted:
            break
    assert interrupted and steps > 5


@pytest.mark.parametrize("files", [{NAME: b"<html>"}, {NAME: "bad"}, {"Gcnn.ipynb": "good"}])
def test_nothing_goes_aside_before_its_successor_is_on_the_disk(folder, good, monkeypatch, files):
    """Are the new notebook, the notes and their folder synced before a notebook is moved, and the folder after it?"""
    done, rename = [], os.rename

    def renamed(old, new, **more):
        done.append(f"{Path(old).name} moved")
        rename(old, new, **more)

    def synced(file):
        path = Path(os.readlink(f"/proc/self/fd/{file}"))
        done.append(re.sub(r"new-\w+|\.\w{8}\.part", "", str(path.relative_to(folder.parent))))

    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    hand_in(
        folder, **{name: {"good": good, "bad": b"\xef\xbb\xbf" + good}.get(data, data) for name, data in files.items()}
    )
    aside, first = f"{ASSIGNMENT}.left-out", next(i for i, what in enumerate(done) if what.endswith("moved"))
    assert done[:first] == [f"{aside}/.", aside, f"{aside}/.notes.json", aside, "."]
    assert ASSIGNMENT in done[first:] and done[-1] == aside


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE])
@pytest.mark.parametrize("place", ["os.fsync", "os.scandir", "choice.read_file", "intake.parse_utc"])
def test_the_machines_trouble_is_no_hand_ins(folder, good, monkeypatch, number, place):
    """Is a hand-in as it was after an error of the disk's, is nothing graded, and everything well the next time?"""
    (folder / "timestamp.txt").write_text("2026-11-25 12:00:00 UTC")
    (folder / NAME).write_bytes(b"\xef\xbb\xbf" + good)
    before, found = tree(folder), [str(folder / NAME)]

    def troubled(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        owner, name = place.split(".")
        patch.setattr({"os": os, "intake": intake, "choice": choice}[owner], name, troubled)
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            clear(assignment=ASSIGNMENT, student="ada", notebooks=found)
    assert found == []
    left = tree(folder)
    assert {path: left.get(path) for path in before} == before
    found = hand_in(folder)
    assert not found.unreadable and "byte-order" in found.repairs[0] and len(found.repairs) == 1
    assert (folder / "timestamp.txt").is_file()


def test_notes_that_the_machine_cannot_read_are_not_none(folder, monkeypatch):
    """Is a stand-in no notebook to be graded where its notes cannot be read just now?"""
    assert hand_in(folder, **{NAME: b""}).unreadable

    def troubled(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "read_text", troubled)
    with pytest.raises(OSError, match="Input"):
        notes(folder, ASSIGNMENT)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.ELOOP])
def test_trouble_that_a_hand_in_makes_stops_nobody(folder, good, monkeypatch, number):
    """Is a hand-in put aside as a whole for an error that it may have caused, and kept as it was?"""

    def troubled(_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(choice, "read_file", troubled)
        found = hand_in(folder, **{NAME: good, "notes.txt": b"x"})
    assert "could not be cleared" in found.unreadable
    whole = folder.with_name(f"{ASSIGNMENT}.left-out-0")
    assert (whole / NAME).read_bytes() == good and (whole / "notes.txt").is_file()
    assert hand_in(folder) == found and not (folder / "notes.txt").exists()


def test_a_hand_in_that_cannot_be_put_aside_stays(folder, good, monkeypatch):
    """Where a hand-in cannot be cleared, and a step of putting it aside fails: does it stay, or is it aside whole?"""
    monkeypatch.setattr(choice, "read_file", lambda path: 1 / 0)
    (folder / NAME).write_bytes(good)
    for steps in range(20):
        with monkeypatch.context() as patch:
            killed(patch, steps, OSError(errno.ENOSPC, "No space left on device"))
            try:
                clear(assignment=ASSIGNMENT, student="ada", notebooks=[str(folder / NAME)])
                break
            except OSError:
                aside = notes(folder, ASSIGNMENT).unreadable
                place = folder.with_name(f"{ASSIGNMENT}.left-out-0") if aside else folder
                assert (place / NAME).read_bytes() == good, steps
    assert steps > 3 and notes(folder, ASSIGNMENT).unreadable


def test_nbgrader_grades_nothing_that_is_not_cleared(course, good, monkeypatch):
    """Where the disk is full while a hand-in is cleared: does nbgrader, which goes on, grade nothing of it?"""
    folder = course.folder("submitted", "full")
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"\xef\xbb\xbf" + good)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(intake, "_clear", full)
    with pytest.raises(CourseError, match="grading full"):
        course.autograde("full")
    assert not course.folder("autograded", "full").exists()


def repaired(folder, good):
    """Whether a good notebook lies in a hand-in's place, in a form that every program reads."""
    cells = nbformat.read(folder / NAME, as_version=4).cells
    return [cell.source for cell in cells] == [cell.source for cell in nbformat.reads(good, as_version=4).cells]


@pytest.mark.parametrize(
    ("how", "moment"),  # nothing tells a file that somebody writes into by hand from what is just being moved
    [("landed", "_free"), *product(("landed", "by hand"), ("read_file", "_stand_in", "_note", "_complete"))],
)
@pytest.mark.parametrize("files", [{NAME: b"<html>"}, {NAME: b"", "a.ipynb": b"", "b.ipynb": b"<html>"}])
def test_what_comes_meanwhile_is_what_counts(folder, good, tmp_path, monkeypatch, moment, files, how):
    """Is a newer hand-in never replaced by what was made of the one before, whenever it comes, and looked at itself?"""
    bad, came = b"\xef\xbb\xbf" + good, []
    owner = choice if moment == "read_file" else intake
    real = getattr(owner, moment)
    newer = {name: b"" for name in files} | {("a.ipynb" if "a.ipynb" in files and how == "landed" else NAME): bad}
    staged = tmp_path / "staged" / ASSIGNMENT
    staged.mkdir(parents=True)

    def meanwhile(*arguments):
        result = real(*arguments)
        if not came:
            came.append(True)
            for name, content in newer.items():
                ((staged if how == "landed" else folder) / name).write_bytes(content)
            if how == "landed":
                land(staged, folder)
        return result

    monkeypatch.setattr(owner, moment, meanwhile)
    found = hand_in(folder, **files)
    assert came and not found.unreadable and "byte-order" in " ".join(found.repairs)
    assert repaired(folder, good) and bad in aside(folder).values()
    assert not [name for name in aside(folder) if name.startswith("new-")]


def test_a_hand_in_that_is_never_the_same_is_not_graded(folder, good, monkeypatch):
    """Where a hand-in changes each time that it is looked at, is that an error, and is it left there?"""
    real, times = choice.read_file, []

    def changed(path):
        times.append(path)
        path.write_bytes(b"\xef\xbb\xbf" + good + b" " * len(times))
        return real(path)

    monkeypatch.setattr(choice, "read_file", changed)
    (folder / NAME).write_bytes(good)
    found = [str(folder / NAME)]
    with pytest.raises(intake.Overtaken):
        clear(assignment=ASSIGNMENT, student="ada", notebooks=found)
    assert found == [] and (folder / NAME).read_bytes().endswith(b" ") and len(times) == 3


def test_two_may_clear_a_hand_in_at_once(folder, good, monkeypatch):
    """Is a hand-in that somebody else clears meanwhile, between any two steps, cleared once, and nothing lost?"""
    bad = b"\xef\xbb\xbf" + good
    for steps in range(20):
        for path in sorted(folder.parent.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.mkdir()
        left, other = [steps], Thread(target=hand_in, args=(folder,))

        def meanwhile(call, *arguments, left=left, other=other, **more):
            left[0] -= 1
            if left[0] == -1:
                other.start()
                other.join(0.5)  # it may have to wait
            return call(*arguments, **more)

        with monkeypatch.context() as patch:
            for owner, name in ((os, "rename"), (os, "replace"), (choice, "read_file"), (intake, "_free")):
                patch.setattr(owner, name, partial(meanwhile, getattr(owner, name)))
            found = hand_in(folder, **{NAME: bad})
            if left[0] < 0:
                other.join()
        assert "byte-order" in found.repairs[0] and not found.unreadable and repaired(folder, good)
        assert list(aside(folder).values()) == [bad]
        assert [path.name for path in folder.parent.iterdir() if "left-out-" in path.name] == []
        if left[0] >= 0:
            break
    assert left[0] >= 0 and steps > 4


STARTS: dict[str, NotebookNode] = {}  # made once


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), start=st.sampled_from(["answered", "released"]))
def test_whatever_happens_to_a_hand_in_has_an_outcome(source, tmp_path_factory, seed, start):
    """Is every damaged hand-in read, cleared and poured, or not graded with a reason; does none stop the grading?"""
    if not STARTS:
        STARTS.update(answered=complete(source), released=as_released(source))
    hand_in = damage.damaged(STARTS[start], random.Random(seed))
    outcome = damage.examine(hand_in, source, tmp_path_factory.mktemp("damaged"))
    assert outcome.kind in ("as it was", "repaired", "in part not graded", "not graded"), (hand_in.what, outcome)
    assert outcome.why or outcome.kind == "as it was"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_thousand_damaged_notebooks_have_a_thousand_outcomes(source, tmp_path):
    """Of a thousand hand-ins, each with its own seed, are there a thousand outcomes of all kinds, and no crash?"""
    kinds = Counter(damage.outcome(source, seed, tmp_path / str(seed)) for seed in range(1000))
    assert kinds.total() == 1000 and not list(tmp_path.iterdir())
    assert all(kinds[kind] >= 10 for kind in ("as it was", "repaired", "in part not graded", "not graded"))


def test_the_damages_differ_and_are_the_same_for_the_same_seed(source):
    """Is a seed enough to have a damaged hand-in again, and are there very different ones?"""
    start = complete(source)
    first, again = (damage.damaged(start, random.Random(7)) for _ in range(2))
    assert first == again
    many = [damage.damaged(start, random.Random(seed)) for seed in range(150)]
    assert len({tuple(each.files.items()) for each in many}) > 140
    kinds = {what for each in many for what in each.what}
    assert {each.__name__.strip("_") for each in (*damage._ON_DOCUMENTS, *damage._ON_BYTES)} <= kinds


def test_a_crash_would_be_seen(source, tmp_path, monkeypatch):
    """Is a hand-in at which a step of the grading stops counted as a crash?"""
    monkeypatch.setattr(choice, "choose", lambda folder, wanted: 1 / 0)
    hand_in = damage.Damaged({NAME: b""}, ("empty",))
    outcome = damage.examine(hand_in, source, tmp_path / "one")
    assert outcome.kind == "crash" and "could not be cleared" in outcome.why[0]
    with pytest.raises(RuntimeError, match="could not be cleared"):
        damage.outcome(source, 0, tmp_path / "two")


@pytest.fixture(scope="module")
def course(project, tmp_path_factory):
    """A course of its own, with its release made."""
    course = Course(tmp_path_factory.mktemp("course"), project)
    course.build()
    course.release()
    return course


def test_a_damaged_hand_in_is_graded_by_nbgrader(course, source, good):
    """Does `nbgrader autograde` grade the answers that stand before a damage, and leave open what may be lost?"""
    cells = json.loads(good)["cells"]
    cut = good.index(b'"id": "isotropic-conv"')
    assert b'"id": "d4"' in good[:cut] and len(cells) == len(source.cells)
    folder = course.folder("submitted", "cut")
    folder.mkdir(parents=True)
    (folder / "Gcnn (1).ipynb").write_bytes(b"\xef\xbb\xbf" + good[:cut])
    command = ["nbgrader", "autograde", ASSIGNMENT, "--student=cut", f"--course-dir={course.root}"]
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=course.project, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    graded = course.graded("cut").metadata.course
    assert any("counts in its place" in r for r in graded.repairs)
    complete = next(i for i, cell in enumerate(cells) if cell["id"] == "isotropic-conv")
    assert any(f"breaks off after {complete} complete cells" in r for r in graded.repairs)
    with course.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, "cut")
        scores = {grade.name: (grade.auto_score, grade.needs_manual_grade) for grade in notebook.grades}
    assert scores["test-c4-product"] == (3, False) and scores["test-d4-product"] == (5, False)
    assert scores["unique-inverse"] == (None, True)
    lost = {
        name: score for name, score in scores.items() if name.split("-")[1] not in ("c4", "d4") or name == "why-pool"
    }
    assert len(lost) > 20 and set(lost.values()) == {(None, True)}


def test_what_cannot_be_read_is_not_graded(course):
    """Is every score of an unreadable hand-in left open, those of written answers too, with the reason to be seen?"""
    folder = course.folder("submitted", "page")
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"<html>")
    course.autograde("page")
    graded = course.graded("page").metadata.course
    assert "a web page" in graded.unreadable and "a web page" in graded.evidence["not run"]
    with course.gradebook() as gradebook:
        notebook = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, "page")
        assert {(grade.auto_score, grade.needs_manual_grade) for grade in notebook.grades} == {(None, True)}
        assert {comment.auto_comment for comment in notebook.comments} == {None}
