"""What models did, measured without their words: metrics, as-of views, comparisons.

Reads tables, writes nothing: what is found goes back as values, and `app` records it.
"""
