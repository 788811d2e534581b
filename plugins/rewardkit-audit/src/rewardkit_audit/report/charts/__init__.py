"""The charts of a report: one hue and grey, direct labels instead of legends, zero lines.

Every function returns a `Chart` whose title should say what is seen. The same numbers give the same bytes. Without
numbers the picture says that there are none; nan and infinity are refused: leave out what was not scored, and say
so. Labels are cut to their place.
"""

from rewardkit_audit.report.charts.bars import Band, Bar, bars
from rewardkit_audit.report.charts.calibration import CalibrationBin, calibration_curve
from rewardkit_audit.report.charts.density import density
from rewardkit_audit.report.charts.histogram import Mark, histogram, histogram_of_counts
from rewardkit_audit.report.charts.lines import Line, lines

__all__ = [
    "Band",
    "Bar",
    "CalibrationBin",
    "Line",
    "Mark",
    "bars",
    "calibration_curve",
    "density",
    "histogram",
    "histogram_of_counts",
    "lines",
]
