"""The live and VOD origin: every answer is a function of the instant."""
