"""A hook of MkDocs (mkdocs.yml) that turns each notebook of docs/notebooks into a page of the site."""

import json
from pathlib import PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page beside each notebook, with a download link."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = PurePosixPath(file.src_uri).with_suffix(".md")
        files.append(File.generated(config, str(page), content=markdown(file.content_string, page.stem)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links to notebooks, which GitHub renders, to their pages."""
    return markdown.replace(".ipynb)", ".md)")


def markdown(notebook: str, name: str) -> str:
    """The cells of a notebook as a page."""
    parts = list[str]()
    for cell in json.loads(notebook)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join([*parts, f'<a href="{name}.ipynb" download>This page as a notebook</a>\n'])
