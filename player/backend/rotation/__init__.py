"""When keys change, and which keys they are: functions of the media timeline and of the run's chance."""
