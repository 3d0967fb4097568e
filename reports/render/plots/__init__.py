"""The kinds of plots: a file each, with how a terminal and a picture show it. A new kind has its line here."""

from reports.render.plots.dots import Dots as Dots
from reports.render.plots.faces import Faces as Faces
from reports.render.plots.histogram import Histogram as Histogram
from reports.render.plots.lines import Lines as Lines
from reports.render.plots.matrix import Matrix as Matrix
from reports.render.plots.plot import Panel as Panel
from reports.render.plots.plot import Plot as Plot
from reports.render.plots.scatter import Scatter as Scatter
