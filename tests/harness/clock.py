"""The host's clock, to compare a machine's with by order alone: how long anything takes depends on what else the host does."""

import time


class HostClock:
    """Looks at something, each between two readings of the host's clock."""

    def __init__(self):
        self.looks = []

    def look(self, action):
        """Does something that reads or starts another clock, and returns its result."""
        before = time.monotonic()
        result = action()
        self.looks.append((before, time.monotonic()))
        return result

    def between(self, first, second):
        """The least and the most seconds that can lie between two looks, by their indexes."""
        (first_before, first_after), (second_before, second_after) = self.looks[first], self.looks[second]
        return second_before - first_after, second_after - first_before
