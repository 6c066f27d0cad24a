"""Countable instructions: the constraints of IFEval and RLVR-IFEval, checked by program."""
