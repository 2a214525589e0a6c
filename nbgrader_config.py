"""What the course does differently from nbgrader's defaults, and why."""

from nbgrader import preprocessors as nbgrader_steps

from autograder import steps

c = get_config()  # noqa: F821 -- nbgrader defines it for this file

# A written answer's rubric stands in the answer's own cell, which nbgrader expects for its "task" cells only.
c.ClearMarkScheme.enforce_metadata = False

# The source notebook with the submission's answers poured in is what is graded, whatever the hand-in's other cells say.
c.Autograde.sanitize_preprocessors = [steps.PourAnswers]
c.Autograde.autograde_preprocessors = [
    steps.Run,
    nbgrader_steps.LimitOutput,
    nbgrader_steps.SaveAutoGrades,
    nbgrader_steps.AssignLatePenalties,
    nbgrader_steps.CheckCellMetadata,
]

# The kernel warns about its transport at every start.
c.Execute.extra_arguments = ["--log-level=ERROR", "--HistoryManager.hist_file=:memory:"]

# nbgrader prints hidden tests into the feedback.
c.GenerateFeedback.preprocessors = [
    nbgrader_steps.GetGrades,
    steps.HideTests,
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
