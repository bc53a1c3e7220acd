"""Renders the completeness of a dataset and the progress of a run as Markdown, HTML or SVG."""
