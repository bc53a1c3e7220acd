"""Rules of a run: circuit breaker, failure budget, throttle, queue watch, dataset lock, pause. Pure: the time is passed in."""
