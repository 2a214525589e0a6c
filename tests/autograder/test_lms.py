"""What names in LMSs' downloads say, as each of them writes names, and as students imitate them."""

from datetime import datetime, timezone

import pytest
from traitlets.config import Config

from autograder.lms import KINDS, collector, detect

DAY = "Nov 3, 2026 1130 AM"


@pytest.mark.parametrize(
    ("kind", "name", "who", "called", "file"),
    [
        ("moodle", "Ann Lee_12_assignsubmission_file_/gcnn.ipynb", "12", "Ann Lee", "gcnn.ipynb"),
        ("moodle", "Ann Lee_12_assignsubmission_file/sub/a b.ipynb", "12", "Ann Lee", "sub/a b.ipynb"),
        ("moodle", "CS 1-Hw-77/Ann_12_assignsubmission_file_/x.zip", "12", "Ann", "x.zip"),
        ("moodle", "Ann Lee_12_assignsubmission_file_my_gcnn.ipynb", "12", "Ann Lee", "my_gcnn.ipynb"),
        ("moodle", "Ann Lee_12_assignsubmission_onlinetext_/onlinetext.html", "12", "Ann Lee", "onlinetext.html"),
        ("moodle", "Participant_12_assignsubmission_file_/x", "12", "Participant", "x"),
        (
            *("moodle", "A_1_assignsubmission_file_/B_2_assignsubmission_file_/x"),
            *("1", "A", "B_2_assignsubmission_file_/x"),
        ),
        (
            *("moodle", "A_1_assignsubmission_file_B_2_assignsubmission_file_x"),
            *("1", "A", "B_2_assignsubmission_file_x"),
        ),
        ("canvas", "leeann_11_5001_gcnn-1.ipynb", "11", "leeann", "gcnn-1.ipynb"),
        ("canvas", "leeann_LATE_11_5001_my_gcnn_7_8_.ipynb", "11", "leeann", "my_gcnn_7_8_.ipynb"),
        ("canvas", "submissions/lee2ann_11_5001_x.zip", "11", "lee2ann", "x.zip"),
        ("canvas", "anon_a1B2c_5001_gcnn.ipynb", "anon_a1B2c", "", "gcnn.ipynb"),
        ("canvas", "LATE_anon_a1B2c_5001_gcnn.ipynb", "anon_a1B2c", "", "gcnn.ipynb"),
        ("canvas", "leeann_11_text.html", "11", "leeann", "text.html"),
        ("brightspace", f"11-7 - Ann Lee - {DAY}/gcnn.ipynb", "11", "Ann Lee", "gcnn.ipynb"),
        ("brightspace", f"11-7 - Ann Lee - {DAY} - my - gcnn.ipynb", "11", "Ann Lee", "my - gcnn.ipynb"),
        ("brightspace", f"Download/11-7 - Ann - Lee - {DAY}/a/b.ipynb", "11", "Ann - Lee", "a/b.ipynb"),
        (*("brightspace", f"11-7 - A - {DAY}/12-7 - B - {DAY}/x"), *("11", "A", f"12-7 - B - {DAY}/x")),
    ],
)
def test_names_as_they_are(kind, name, who, called, file):
    """Are student, name and file found, and does no student's own name for a file pass for the LMS's?"""
    found = collector(kind, Config()).named(name)
    assert (found.lms_id, found.full_name, found.file) == (who, called, file)
    others = [collector(other, Config()) for other in KINDS if other not in (kind, "other")]
    assert [other.title for other in others if other.named(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gcnn.ipynb",
        "index.html",
        "Ann_assignsubmission_file_/x",
        "ann_11_x.ipynb",
        f"11 - Ann - {DAY}/x",
        "x" * 5000,
    ],
)
def test_names_of_no_lms(name):
    """Is what no LMS wrote no LMS's?"""
    assert detect([collector(kind, Config()) for kind in KINDS], [name]) == (None, 0)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Nov 3, 2026 1130 AM", (2026, 11, 3, 11, 30)),
        ("Nov 3, 2026 105 PM", (2026, 11, 3, 13, 5)),
        ("13 September 2025 310 PM", (2025, 9, 13, 15, 10)),
        ("13 September 2025 3:10 PM", (2025, 9, 13, 15, 10)),
        ("5 November 2026 1000", (2026, 11, 5, 10, 0)),
        ("Tuesday, 3 November 2026, 11:30 AM", (2026, 11, 3, 11, 30)),
        ("2026-11-03T11:30:00+02:00", (2026, 11, 3, 9, 30)),
        ("2026-12-02 09:00", (2026, 12, 2, 9, 0)),
        ("20261202 09:00", (2026, 12, 2, 9, 0)),
        ("Wed 2026-12-02 09:00", (2026, 12, 2, 9, 0)),
        ("2 Dec 2026 09:00", (2026, 12, 2, 9, 0)),
        ("13/12/2026 09:00", (2026, 12, 13, 9, 0)),
        ("05/05/2026 09:00", (2026, 5, 5, 9, 0)),
        ("02/12/2026 09:00", None),
        ("2.12.26, 9:00", None),
        ("November 2026", None),
        ("11:30", None),
        ("yesterday", None),
        ("99999999999999999999", None),
        ("", None),
    ],
)
def test_dates_in_an_lmss_words(text, date):
    """Is a date understood where it says all, and no day or year made up where it does not?"""
    expected = None if date is None else datetime(*date, tzinfo=timezone.utc)
    assert collector("brightspace", Config(), zone_name="UTC").date(text) == expected


def test_a_date_is_in_the_lmss_time_zone():
    """Is a date without a zone in the one that the settings name, in summer and in winter?"""
    config = Config()
    config.Lms.timezone = "Europe/Amsterdam"
    one = collector("brightspace", config)
    assert one.date("Jul 1, 2026 1200 PM").hour == 10 and one.date("Dec 1, 2026 1200 PM").hour == 11


def test_a_format_says_which_number_is_the_month():
    """Is a date that could be read in two ways understood by the format, and is no other date called doubtful?"""
    config = Config()
    assert "day or month first? set c.Lms.date_format" in collector("moodle", config).doubt("02/12/2026 09:00")
    clear = ("yesterday", "November 2026", "", "13/12/2026")
    assert {collector("moodle", config).doubt(text) for text in clear} == {""}
    config.Lms.date_format = "%d/%m/%Y %H:%M"
    one = collector("moodle", config, zone_name="UTC")
    assert one.date("02/12/2026 09:00") == datetime(2026, 12, 2, 9, tzinfo=timezone.utc)
    assert one.date("2026-12-02") is None and one.doubt("2026-12-02") == ""


def test_the_lms_that_fits_most_files_is_taken():
    """Does one stray name not decide, and does the first of two that fit alike win?"""
    ordered = [collector(kind, Config()) for kind in ("moodle", "canvas")]
    moodle = [f"Ann_{i}_assignsubmission_file_/x" for i in range(3)]
    assert detect(ordered, ["leeann_11_5001_x.ipynb", *moodle]) == (ordered[0], 3)
    assert detect(ordered, [moodle[0], "leeann_11_5001_x.ipynb"])[0] is ordered[0]
