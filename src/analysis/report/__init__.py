"""The report of a study: one Markdown template, rendered to a self-contained page and a paper, every number by name."""
