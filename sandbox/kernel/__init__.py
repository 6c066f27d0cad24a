"""The Linux calls that confine a process, made through ctypes: nothing is compiled at install time."""
