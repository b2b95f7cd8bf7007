"""Usage records for APEL, the accounting of EGI and IRIS."""
