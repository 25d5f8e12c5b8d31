"""The published procedures written plainly from the papers: what the benchmarks compare with.

No code of leadline is used here, so that these files can also judge what leadline computes.
"""
