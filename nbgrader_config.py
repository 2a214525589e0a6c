"""What the course does differently from nbgrader's defaults, and why."""

import os

from nbgrader import preprocessors as nbgrader_steps

from autograder import feedback, intake, lateness, safe, steps

c = get_config()  # noqa: F821 -- nbgrader defines it for this file

# The gradebook is the file gradebook.db. A server's, for several graders at once, is named in the environment, where a
# password may stand: AUTOGRADER_DB_URL=postgresql://USER@HOST/DATABASE. docs/postgresql.md says how.
if url := os.environ.get("AUTOGRADER_DB_URL"):
    c.CourseDirectory.db_url = url

# A server insists that an assignment belongs to a course.
c.CourseDirectory.course_id = "gcnn"

# A written answer's rubric stands in the answer's own cell, which nbgrader expects for its "task" cells only.
c.ClearMarkScheme.enforce_metadata = False

# nbgrader copies what links in a hand-in point to, and drops a submission that it cannot read.
c.Autograde.pre_convert_hook = intake.clear

# An earlier hand-in's date is not the new one's, and an entry that was made for an extension lacks its cells.
# The source notebook with the submission's answers poured in is what is graded, whatever the hand-in's other cells say.
c.Autograde.sanitize_preprocessors = [lateness.EnterHandIn, steps.PourAnswers]

# A submission runs in a sandbox, and its tests in the grader's process: what its own process says is never its score.
c.Autograde.autograde_preprocessors = [
    steps.JudgedExecute,
    nbgrader_steps.LimitOutput,
    steps.SaveJudgedGrades,
    nbgrader_steps.AssignLatePenalties,
    nbgrader_steps.CheckCellMetadata,
]

# What a student wrote must neither run in the browser of the instructor who reads it nor keep the server busy for ever,
# and marking needs no network.
c.HTMLExporter.filters = safe.FILTERS
c.HTMLExporter.preprocessors = [safe.NamesAsText]
c.HTMLExporter.extra_template_basedirs = safe.FORMGRADER

# nbgrader's page prints hidden tests, and shows nothing without a network.
c.GenerateFeedback.exporter_class = feedback.FeedbackExporter
c.GenerateFeedback.preprocessors = [steps.HideTests, feedback.TellStudent]

# nbgrader's own export quotes nothing, and gives what is not graded 0 points.
c.ExportApp.plugin_class = "autograder.exports.PointsExport"

# `autograder export --format moodle`: the columns that a system's import asks for; yours may call the grade otherwise.
c.LmsExport.formats = {
    "moodle": {
        "ID number": "{student}",
        "Email address": "{email}",
        "Group equivariant networks": "{final}",
    },
    "brightspace": {
        "Username": "{student}",
        "Group equivariant networks Points Grade": "{final}",
        "End-of-Line Indicator": "#",
    },
}
