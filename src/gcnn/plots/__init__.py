"""Every figure of the notebook: each function takes what is to be shown and returns one figure that shows itself.

Two kinds are more than a figure where a notebook can show it: a slider, and animations. A figure stands in for each
where that cannot be, and while grading.

As a cell's last value, or by ``display``, a figure appears once. None is made with pyplot, so that none is kept, none
appears twice and the reader's own settings stay. What is to be seen stands in words in `Picture.alt`.
"""

from gcnn.plots.curves import accuracies, accuracy_against_angle, history, invariance_by_size, prediction_under_rotation
from gcnn.plots.grids import digits_turned, feature_maps, filters, images
from gcnn.plots.measured import accuracy_by_digits, accuracy_by_upbringing
from gcnn.plots.moving import lifting_animation, twist_and_roll
from gcnn.plots.picture import Picture
from gcnn.plots.questions import equivariance_against_angle, six_or_nine
from gcnn.plots.slider import turning

__all__ = [
    "Picture",
    "accuracies",
    "accuracy_against_angle",
    "accuracy_by_digits",
    "accuracy_by_upbringing",
    "digits_turned",
    "equivariance_against_angle",
    "feature_maps",
    "filters",
    "history",
    "images",
    "invariance_by_size",
    "lifting_animation",
    "prediction_under_rotation",
    "six_or_nine",
    "turning",
    "twist_and_roll",
]
