"""The embedded clip: 8 s of clear video and audio that repeat without end."""
