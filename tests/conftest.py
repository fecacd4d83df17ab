"""For all tests."""

from hypothesis import HealthCheck, settings

# How long an example takes says who else works on the machine; what is slow by itself is found by the tests of limits and growth.
settings.register_profile("questd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("questd")
