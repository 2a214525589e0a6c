"""Checks that name the mistake: one for each exercise, used as ``checks.lifting_conv(LiftingConv2d)``.

`outcomes` says what came out of one look, the ``look_at_…`` modules what is looked at, `course` what each exercise asks
for, `family` which known mistake fits, `compared` what a picture can show of it, `findings` what is to be said,
`report` how it is shown. Nothing here contains or computes a right answer: there are fingerprints of it, and for the
pictures what comes out of it for a few small inputs.
"""

import textwrap

from gcnn.diagnosis.findings import find
from gcnn.diagnosis.report import Report
from gcnn.environment import grading
from gcnn.session import about_redefined


def _checked(exercise: str, answer: object) -> Report | None:
    """The report on an answer; ``None`` at once when a grader runs the notebook."""
    if grading():
        return None
    if words := about_redefined():
        print(textwrap.fill(words, 88, break_on_hyphens=False))
    return Report(find(exercise, answer))


def c4(answer: object) -> Report | None:
    """Check exercise 1.2, the class ``C4``."""
    return _checked("c4", answer)


def d4(answer: object) -> Report | None:
    """Check exercise 1.3, the class ``D4``."""
    return _checked("d4", answer)


def isotropic_conv(answer: object) -> Report | None:
    """Check exercise 2.1, the class ``IsotropicConv2d``."""
    return _checked("isotropic-conv", answer)


def rotate_p4(answer: object) -> Report | None:
    """Check exercise 2.2, the function ``rotate_p4``."""
    return _checked("rotate-p4", answer)


def lifting_conv(answer: object) -> Report | None:
    """Check exercise 2.3, the class ``LiftingConv2d``."""
    return _checked("lifting-conv", answer)


def group_conv(answer: object) -> Report | None:
    """Check exercise 2.4, the class ``GroupConv2d``."""
    return _checked("group-conv", answer)


def c4cnn(answer: object) -> Report | None:
    """Check exercise 3.2, the class ``C4CNN``."""
    return _checked("c4cnn", answer)


def isotropic_cnn(answer: object) -> Report | None:
    """Check exercise 3.3, the class ``IsotropicCNN``."""
    return _checked("isotropic-cnn", answer)


def batch_norm(answer: object) -> Report | None:
    """Check exercise 3.5b, the class ``GroupBatchNorm2d``."""
    return _checked("batch-norm", answer)


def c4cnn_bn(answer: object) -> Report | None:
    """Check exercise 3.5c, the class ``C4CNNWithBatchNorm``."""
    return _checked("c4cnn-bn", answer)


def d4_action(answer: object) -> Report | None:
    """Check exercise 4a, the function ``transform_p4m``."""
    return _checked("d4-action", answer)


def d4_lifting_conv(answer: object) -> Report | None:
    """Check exercise 4b's ``D4LiftingConv2d``."""
    return _checked("d4-lifting-conv", answer)


def d4_group_conv(answer: object) -> Report | None:
    """Check exercise 4b's ``D4GroupConv2d``."""
    return _checked("d4-group-conv", answer)


def d4cnn(answer: object) -> Report | None:
    """Check exercise 4c, the class ``D4CNN``."""
    return _checked("d4cnn", answer)
