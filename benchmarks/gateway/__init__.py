"""What the gateway adds to a call: latency and throughput, direct to a mock provider and through the gateway.

``python -m benchmarks.gateway`` measures; nothing here is collected by pytest.
"""
