"""Tests of autograder.charts: the marks of a picture stand where their values say."""

import pytest

from autograder.charts import Mark, columns, stacked, strip

TICKS = [(0, "0"), (50, "50"), (100, "100"), (200, "200")]


def test_parts_fill_the_whole():
    """Do parts stand side by side, as wide as their share, and are empty ones left out?"""
    bars = stacked([("full", 6, "all: 6"), ("part", 0, "some: 0"), ("none", 2, "none: 2")])
    assert [(bar.kind, bar.x, bar.width) for bar in bars] == [("full", 0, 75), ("none", 75, 25)]
    assert stacked([("full", 0, "all")]) == []


def test_a_narrow_part_has_no_number_in_it():
    """Is a number left out where its part is too narrow to hold it?"""
    assert [bar.label for bar in stacked([("full", 199, ""), ("none", 1, "")])] == ["199", ""]


def test_columns_count_every_value_once():
    """Does each value fall into one column, edges into the upper one, and the highest value into the last?"""
    plot = columns([0, 9.9, 10, 98, 98], 98, 10, what="points", lines=[(49, "median")])
    assert [(round(bar.x), bar.label) for bar in plot.bars] == [(0, "2"), (10, "1"), (90, "2")]
    assert [bar.title for bar in plot.bars][1:] == ["10 to below 20 points: 1", "90 to 98 points: 2"]
    assert plot.lines[0].x == 49 and [tick.label for tick in plot.ticks] == ["0", "20", "40", "60", "80", "100"]
    assert plot.bars[0].height == plot.bars[2].height == 2 * plot.bars[1].height
    assert columns([], 98, 10, what="points").bars == ()


def test_dots_pile_up_where_their_values_are():
    """Is each value a dot over its place, equal ones on top of each other, and one beyond the axis at its end?"""
    marks = [Mark(50, "a: 50"), Mark(50.1, "b: 50.1"), Mark(-10, "c: -10", "bad"), Mark(100, "d: 100")]
    plot = strip(marks, 0, 100, ticks=TICKS, lines=[(50, "here"), (500, "beyond")], bands=[(50, 100)], places=50)
    dots = {dot.title: dot for dot in plot.dots}
    assert len(dots) == 4 and plot.bars == () and plot.outside == 1
    assert dots["a: 50"].x == dots["b: 50.1"].x == 51
    assert dots["a: 50"].y - dots["b: 50.1"].y == pytest.approx(7)
    assert (dots["c: -10"].x, dots["c: -10"].kind, dots["d: 100"].x) == (1, "bad", 99)
    assert [tick.label for tick in plot.ticks] == ["0", "50", "100"]
    assert [line.label for line in plot.lines] == ["here"] and plot.bands == ((50, 100),)


def test_a_class_too_large_for_dots_has_bars():
    """Are 3,000 values drawn with few marks, none of them outside of the picture, and each value counted?"""
    marks = [Mark(i % 100, f"student: {i % 100} %", "good" if i % 100 > 20 else "bad") for i in range(3000)]
    plot = strip(marks, 0, 100, ticks=TICKS)
    assert plot.dots == () and len(plot.bars) <= 2 * 44
    assert sum(int(bar.title.split()[0]) for bar in plot.bars) == 3000
    assert all(bar.y >= 0 and bar.y + bar.height <= plot.height + 1e-9 for bar in plot.bars)
    assert any(bar.title == "90 students, 0 % to 2 %" for bar in plot.bars)


def test_a_logarithmic_axis_has_equal_distances_for_equal_ratios():
    """Do 1, 10 and 100 stand at equal distances?"""
    plot = strip([Mark(10, "x")], 1, 100, ticks=[(1, "1"), (10, "10"), (100, "100")], logarithmic=True)
    assert [tick.x for tick in plot.ticks] == pytest.approx([0, 50, 100])
