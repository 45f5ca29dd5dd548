"""CPIX documents (DASH-IF CPIX 2.3 and 2.4): read, write, seal, open, sign, verify, resolve."""
