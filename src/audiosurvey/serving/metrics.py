"""What a server has done, in the text format of Prometheus."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SOUNDS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server, apart from those of other servers in the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "audiosurvey_requests", "Requests by path and status.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "audiosurvey_predict_seconds",
            "Time from the beginning of a request to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._sound = Counter("audiosurvey_sound_seconds", "Seconds of sound scored.", registry=registry)
        self._batch = Histogram(
            "audiosurvey_batch_sounds", "Sounds scored together.", buckets=_SOUNDS, registry=registry
        )
        self._waiting = Gauge("audiosurvey_requests_in_progress", "Requests not yet answered.", registry=registry)

    def begun(self) -> None:
        """A request for a prediction has arrived."""
        self._waiting.inc()

    def ended(self, seconds: float) -> None:
        """It has been answered, after so long."""
        self._waiting.dec()
        self._seconds.observe(seconds)

    def answered(self, path: str, status: int) -> None:
        """A request to a path was answered with a status."""
        self._requests.labels(path, str(status)).inc()

    def batch(self, sounds: int) -> None:
        """So many sounds are scored together."""
        self._batch.observe(sounds)

    def sound(self, seconds: float) -> None:
        """A sound of this length was scored."""
        self._sound.inc(seconds)

    def text(self) -> bytes:
        """All of them for a scraper."""
        return generate_latest(self.registry)
