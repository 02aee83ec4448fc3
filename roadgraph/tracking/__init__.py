"""Runs in MLflow.

MLflow reports how it is used to its makers unless it is told not to before it is imported.
Recording a training must not reach for the internet, so this part tells it; whoever wants to
report sets ``MLFLOW_DISABLE_TELEMETRY=false``.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
