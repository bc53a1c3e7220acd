"""Shows a dataset: which samples, a map of their states, and the page. Tables and text in, text out."""
