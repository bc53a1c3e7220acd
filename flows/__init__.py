"""The flows: paragraphs that read aloud. No boto3, no page loops, no string building."""
