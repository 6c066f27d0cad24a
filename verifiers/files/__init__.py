"""The room in which files are read: what a file is made of, and whose rows it holds.

``containers`` opens any file, pipe or folder as numbered rows; ``row_formats`` knows the shapes that other
tools write; ``finish`` finds why a completion ended. Nothing else in the house opens a file of rows to score.
"""
