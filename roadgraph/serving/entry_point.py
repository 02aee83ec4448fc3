"""What MLflow runs to get the model of a folder; a copy of this file lies in every such folder."""

import sys
from pathlib import Path

from mlflow.models import set_model

CODE = Path(__file__).parent / "code" / "roadgraph.zip"
if CODE.is_file():  # beside a copy of this file, but not in the package
    sys.path.insert(0, str(CODE))

from roadgraph.serving.model import ServedModel  # noqa: E402

set_model(ServedModel())
