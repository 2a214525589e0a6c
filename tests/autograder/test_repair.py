"""Tests of autograder.repair: whatever the bytes of a notebook's file are, a notebook, or why there is none."""

import base64
import copy
import io
import json
import subprocess
import sys
import zipfile

import nbformat
import pytest

from autograder import repair, salvage
from autograder.repair import read, read_file


@pytest.fixture(scope="module")
def notebook():
    """A small notebook as JupyterLab writes it, with an output."""
    cells = [
        nbformat.v4.new_markdown_cell("# Ein Mädchen — 女の子 ✓", id="title"),
        nbformat.v4.new_code_cell("x = 1\ny = 'é'", id="first", metadata={"nbgrader": {"grade_id": "c4"}}),
        nbformat.v4.new_raw_cell("raw", id="raw"),
        nbformat.v4.new_code_cell("z = [x, y]\n", id="last"),
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", text='said "x"\\\n')]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def data(notebook):
    """Its file."""
    return nbformat.writes(notebook).encode()


@pytest.fixture(scope="module")
def plain(notebook):
    """What must be read of it, however it was damaged: each cell's type and text."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def found(reading):
    """The types and texts that were read."""
    assert not reading.unreadable
    nbformat.validate(reading.notebook)
    return [(cell.cell_type, cell.source) for cell in reading.notebook.cells]


def test_a_sound_notebook_needs_no_repair(data, plain):
    """Is it read without a word, with its grade ids and without its outputs?"""
    reading = read(data)
    assert found(reading) == plain
    assert reading.repairs == () and reading.incomplete == ""
    assert reading.notebook.cells[1].metadata == {"nbgrader": {"grade_id": "c4"}}
    assert reading.notebook.cells[1].outputs == []


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4])
def test_older_minors_are_sound(notebook, plain, minor):
    """Is a notebook as Colab writes it, nbformat 4.0 and without ids, left as it is?"""
    older = copy.deepcopy(notebook)
    older.nbformat_minor = minor
    for cell in older.cells:
        del cell["id"]
    reading = read(json.dumps(older).encode())
    assert found(reading) == plain and reading.repairs == ()


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "UTF-8 with a byte-order mark"),
        ("utf-16", "UTF-16, not UTF-8"),
        ("utf-16-le", "UTF-16, not UTF-8"),
        ("utf-16-be", "UTF-16, not UTF-8"),
        ("utf-32", "UTF-32, not UTF-8"),
    ],
)
def test_other_encodings_are_read(data, plain, encoding, said):
    """Is every character there, and is the encoding named?"""
    reading = read(data.decode().encode(encoding))
    assert found(reading) == plain
    assert len(reading.repairs) == 1 and said in reading.repairs[0]


def test_windows_own_encoding_is_read(data):
    """Are the characters of a file that an old editor saved right?"""
    reading = read(data.decode().replace("女の子 ✓", "").encode("cp1252"))
    assert reading.notebook.cells[0].source == "# Ein Mädchen — "
    assert "Windows' encoding" in reading.repairs[0] and reading.incomplete == ""


def test_damaged_bytes_are_said_to_be_a_loss(data):
    """Is text that is no UTF-8 read but for the places that are damaged?"""
    reading = read(data.replace("女".encode(), b"\xff\xfe"))
    assert "の子" in reading.notebook.cells[0].source and "\ufffd" in reading.notebook.cells[0].source
    assert "damaged in 2 places" in reading.incomplete


@pytest.mark.parametrize("base", ["", "||||||| base\n"])
def test_of_a_merge_our_side_counts(data, plain, base):
    """Is the first side of each conflict taken where both are notebooks?"""
    text = data.decode()
    line = next(line for line in text.split("\n") if "z = [x, y]" in line)
    sides = f"<<<<<<< HEAD\n{line}\n{base}=======\n{line.replace('z', 'theirs')}\n>>>>>>> theirs"
    reading = read(text.replace(line, sides).encode())
    assert found(reading) == plain
    assert reading.repairs == ("the notebook held 1 merge conflict: our side counts, which stands first",)


def test_of_a_merge_of_whole_files_our_side_counts(data, plain):
    """Is the first of two whole notebooks between the marks taken?"""
    theirs = data.replace(b"z = [x, y]", b"z = 0")
    reading = read(b"<<<<<<< HEAD\n" + data + b"\n=======\n" + theirs + b"\n>>>>>>> theirs\n")
    assert found(reading) == plain


@pytest.mark.parametrize("change", [lambda t: t.replace("=======\n", ""), lambda t: t.replace('"theirs', "theirs")])
def test_a_merge_without_two_notebooks_is_not_guessed(data, change):
    """Is a notebook unreadable where a mark is lost, or a side is no JSON?"""
    text = data.decode()
    line = next(line for line in text.split("\n") if "z = [x, y]" in line)
    sides = f"<<<<<<< HEAD\n{line}\n=======\n{line.replace('z = ', 'theirs ')}\n>>>>>>> theirs"
    reading = read(change(text.replace(line, sides)).encode())
    assert "merge" in reading.unreadable and reading.notebook is None


def test_what_stands_around_the_notebook_is_left_out(data, plain):
    """Is the notebook found between other text, and is a second one in the file named?"""
    reading = read(b"$ cat gcnn.ipynb\n" + data + b"\n$ \xe2\x82\xac")
    assert found(reading) == plain
    assert reading.repairs == (
        "17 characters before the notebook's beginning: left out",
        "3 characters after the notebook's end: left out",
    )
    assert "another notebook begins there" in read(data + data).repairs[0]


@pytest.mark.parametrize("wrap", [lambda d: [d], lambda d: {"type": "notebook", "content": d}, json.dumps])
def test_a_wrapped_notebook_is_taken_out(notebook, plain, wrap):
    """Is a notebook found that a server's answer or a list holds, or that is JSON in JSON?"""
    reading = read(json.dumps(wrap(notebook)).encode())
    assert found(reading) == plain
    assert reading.repairs == ("the notebook was wrapped in something else: it was taken out",)


def test_of_a_truncated_file_the_complete_cells_are_kept(data, plain):
    """Wherever the file breaks off, are the cells before that place read, nothing invented, and the loss said?"""
    numbers = set()
    for length in range(1, len(data) - 1):
        reading = read(data[:length])
        if reading.unreadable:
            assert reading.notebook is None
            continue
        cells = found(reading)
        assert cells == plain[: len(cells)]
        if len(cells) < len(plain):
            assert "breaks off after" in reading.incomplete
        else:
            assert "after its last cell" in reading.repairs[0] or "after 4 complete cells" in reading.incomplete
        numbers.add(len(cells))
    assert numbers == {1, 2, 3, 4}


def test_nothing_after_a_damage_is_guessed(data, plain):
    """Of a file that is damaged in its second cell, is the first read, and no other?"""
    reading = read(data.replace(b'"first"', b'"first', 1))
    assert found(reading) == plain[:1]
    assert "after 1 complete cell" in reading.incomplete


def test_damage_behind_the_cells_costs_none(data, plain):
    """Are all cells read, and none said to be lost, where only the end of the file is missing?"""
    reading = read(data[: data.rindex(b'"metadata"')])
    assert found(reading) == plain
    assert reading.incomplete == "" and "all 4 were read" in reading.repairs[0]


@pytest.mark.parametrize("number", [2, 3])
def test_old_formats_are_converted(notebook, plain, number):
    """Are code, text and headings of the formats of IPython read?"""
    cells = [
        {
            "cell_type": "code",
            "input": c.source.splitlines(True),
            "outputs": [],
            "language": "python",
            "prompt_number": 1,
        }
        if c.cell_type == "code"
        else {"cell_type": c.cell_type, "source": c.source, "metadata": {}}
        for c in notebook.cells
    ]
    cells.append({"cell_type": "heading", "level": 2, "source": "Old"})
    old = {"nbformat": number, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
    reading = read(json.dumps(old).encode())
    assert found(reading) == [*plain, ("markdown", "## Old")]
    assert reading.repairs == (f"the notebook was written in an old format, {number}: it was converted to format 4",)
    assert read(json.dumps(old).encode()) == reading


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell_type": "magic"}, "1 cell had a kind that does not exist"),
        ({"cell_type": None}, "1 cell had a kind that does not exist"),
        ({"metadata": [1]}, "1 cell had no metadata, or malformed ones"),
        ({"metadata": None}, "1 cell had no metadata, or malformed ones"),
        ({"id": 7}, "1 cell had no id, or a malformed one"),
        ({"id": "not an id!"}, "1 cell had no id, or a malformed one"),
        ({"outputs": [3]}, "parts of the notebook that are no answers"),
        ({"outputs": {"x": 1}}, "parts of the notebook that are no answers"),
        ({"attachments": 3}, "parts of the notebook that are no answers"),
        ({"execution_count": "x"}, "parts of the notebook that are no answers"),
    ],
)
def test_a_malformed_cell_is_made_well_formed(notebook, plain, change, said):
    """Is the cell's text kept, and is what was wrong with it named?"""
    document = json.loads(json.dumps(notebook))
    document["cells"][1] |= change
    reading = read(json.dumps(document).encode())
    assert found(reading) == plain
    assert len(reading.repairs) == 1 and said in reading.repairs[0]


def test_lines_and_repeated_ids_are_no_news(notebook, plain):
    """Is text in a list of lines the usual thing, and a repeated id none that matters?"""
    document = json.loads(json.dumps(notebook))
    for cell in document["cells"]:
        cell["source"], cell["id"] = cell["source"].splitlines(True), "same"
    reading = read(json.dumps(document).encode())
    assert found(reading) == plain and reading.repairs == ()
    assert reading.notebook.cells[3].metadata == {"nbgrader": {"grade_id": "same"}}


@pytest.mark.parametrize(
    "thing", [None, 3, "cell", [], {}, {"cell_type": "code"}, {"source": {}}, {"source": ["x", 3]}]
)
def test_what_is_no_cell_is_a_loss(notebook, plain, thing):
    """Is something in a cell's place left out, and is it said that an answer may have been there?"""
    document = json.loads(json.dumps(notebook))
    document["cells"].insert(1, thing)
    reading = read(json.dumps(document).encode())
    assert found(reading) == plain
    assert reading.repairs == ("1 cell could not be read at all",) == (reading.incomplete,)


@pytest.mark.parametrize("number", ["4" * 5000, "NaN", "1e999", '"4"', "[4]", "null", "true", "5", "0", "-4"])
def test_odd_numbers_do_no_harm(data, plain, number):
    """Is a notebook read whatever number it has for its format: without end, none, or of the wrong kind?"""
    reading = read(data.replace(b'"nbformat": 4', b'"nbformat": ' + number.encode()))
    assert found(reading) == plain
    assert reading.repairs == ("the notebook claims a format that does not exist: it was read as format 4",)


def test_lone_surrogates_are_replaced(data, plain):
    """Does no character come through that cannot be written?"""
    reading = read(data.replace(b"x = 1", rb"\ud83dx = 1"))
    assert found(reading)[1] == ("code", "?x = 1\ny = 'é'")
    assert "characters that do not exist" in reading.repairs[0]


@pytest.mark.parametrize("depth", [200, 5000, 100_000])
def test_nesting_without_end_is_bounded(data, plain, depth):
    """Is a notebook with metadata nested as deep as one likes read, or refused, but no stack used up?"""
    deep = b'"metadata": {"x": ' + b"[" * depth + b"]" * depth + b"},\n "
    reading = read(data.replace(b'"nbformat": 4', deep + b'"nbformat": 4'))
    assert found(reading) == plain and reading.repairs


def zip_of(name):
    """A zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the notebook's file is empty"),
        (b" \n\t ", "empty: it holds nothing but blanks"),
        (b"\0" * 100_000, "empty: it holds nothing but blanks"),
        (b'\n<!DOCTYPE html>\n<html><script>{"cells": []}</script>', "a web page"),
        (b"<html><body>Sign in</body></html>", "a web page"),
        (b'<?xml version="1.0"?><a/>', "an XML document"),
        (b"# %%\nx = 1\n", "a Python script made from a notebook"),
        (b'"""Solutions."""\nimport torch\n', "a Python script"),
        (b"def f():\n    return [1]\n", "a Python script"),
        (b"https://colab.research.google.com/drive/1\n", "a link"),
        (zip_of("gcnn.ipynb"), "a zip archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "a companion file that macOS makes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (bytes(range(256)) * 100, "the file is no notebook"),
        (b"null", "the file is no notebook"),
        (b"[1, 2]", "JSON, but no notebook"),
        (b'{"a": 1}', "JSON, but no notebook: it has no cells"),
        (b'{"cells": {"0": {}}}', "JSON, but no notebook: it has no cells"),
        (b'{"cells": [{"cell_type": "co', "before its first cell ends"),
        (b'{"cells": [' + b"[" * 300_000, "its JSON is nested too deep"),
        (b"[" * 300_000, "its JSON is nested too deep"),
    ],
)
def test_what_is_no_notebook_is_named(data, said):
    """Is the reason what the file seems to be?"""
    reading = read(data)
    assert said in reading.unreadable
    assert reading.notebook is None and reading.repairs == ()


def large(notebook, characters):
    """A notebook's file whose outputs have about so many characters."""
    document = json.loads(json.dumps(notebook))
    picture = base64.b64encode(b"picture!" * (characters // 11)).decode()
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": picture, "text/plain": '\\"]}[{' * 99},
    }
    document["cells"][1]["outputs"] = [output]
    return json.dumps(document).encode()


def test_outputs_do_not_make_a_notebook_too_large(notebook, plain, tmp_path):
    """Is a file over the limit read, in little memory, where outputs make it large; and is its size said?"""
    path = tmp_path / "large.ipynb"
    path.write_bytes(large(notebook, 40_000_000))
    reading = read_file(path)
    assert found(reading) == plain
    assert reading.repairs == (
        f"the notebook's file is large ({path.stat().st_size / 1e6:,.1f} MB): its outputs were left out",
    )
    program = """if True:
        import sys
        from pathlib import Path
        from autograder.repair import read, read_file

        def taken():
            lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

        read(b"{}")
        before = taken()
        reading = read_file(Path(sys.argv[1]))
        print(taken() - before, reading.unreadable)
    """
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # kB: half of the file


def test_many_small_values_are_bounded(notebook, plain):
    """Are outputs of very many values left out, and is a notebook of very many values elsewhere refused?"""
    document = json.loads(json.dumps(notebook))
    many = [0] * (salvage.MAX_VALUES + 1)
    document["cells"][1]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"x": many}}]
    reading = read(json.dumps(document).encode())
    assert found(reading) == plain and "its outputs were left out" in reading.repairs[0]
    document["metadata"]["x"] = many
    assert "too many values" in read(json.dumps(document).encode()).unreadable


def test_what_is_too_large_without_its_outputs_is_refused(notebook, tmp_path):
    """Is a notebook with endless text, or a file above all limits, refused with its size?"""
    document = json.loads(json.dumps(notebook))
    document["cells"][0]["source"] = "x" * salvage.MAX_CONTENT
    path = tmp_path / "large.ipynb"
    path.write_bytes(json.dumps(document).encode())
    assert "(20 MB), also without its outputs" in read_file(path).unreadable
    with path.open("r+b") as file:
        file.truncate(repair.MAX_FILE + 1)
    assert read_file(path).unreadable == "the notebook is too large (500 MB)"


def test_a_link_is_not_followed(data, tmp_path):
    """Is a link in the notebook's place no way to another file?"""
    (tmp_path / "other.ipynb").write_bytes(data)
    (tmp_path / "gcnn.ipynb").symlink_to(tmp_path / "other.ipynb")
    with pytest.raises(OSError, match="symbolic links"):
        read_file(tmp_path / "gcnn.ipynb")
