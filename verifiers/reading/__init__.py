"""What a text says: where its thinking ends, what is in a box, which number, which code, the final answer.

Each of these is decided in one file here, for every verifier, family and tool. Nothing in this folder
imports from the rest of the house, and everything in it takes time linear in the text.
"""
