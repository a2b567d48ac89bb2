"""Sphinx: MyST pages, the reference from the docstrings. Builds without a network, hence no intersphinx."""

from importlib.metadata import version as version_of

project = "Aurora Scheduler"
author = "Aurora Scheduler contributors"
copyright = f"2026, {author}"
release = version = version_of("aurora-scheduler")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings are written as they are read in an editor: single backticks mean code there, as in Markdown.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"{project} {release}"
