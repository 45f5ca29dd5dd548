"""The track buffer with the engine's own token for a fetch under way."""

from __future__ import annotations

from player.engine.actions import Fetch
from player.stream.buffer import TrackBuffer
from player.stream.state import State

Track = TrackBuffer[Fetch]
StreamState = State[Fetch]
