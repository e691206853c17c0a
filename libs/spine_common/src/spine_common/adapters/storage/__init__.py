"""Object stores: one answer to the ``Store`` port per place that keeps bytes."""
