"""Events in recordings, written down with their times: tables of several programs."""
