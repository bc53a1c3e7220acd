"""How complete a dataset is and how far a run has come, as text: values in, Markdown, HTML or SVG out."""
