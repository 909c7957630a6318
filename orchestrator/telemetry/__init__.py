"""What monitoring systems read: Prometheus metrics, OpenTelemetry traces and metrics."""
