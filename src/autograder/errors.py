"""Errors whose message is for the person at the keyboard: what happened and what to do, in words."""


class CourseError(RuntimeError):
    """Something about the course folder, its notebook or a step of nbgrader's went wrong."""
