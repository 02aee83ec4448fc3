"""The model that MLflow loads and serves: slices in, predictions out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from roadgraph.errors import DataError, RoadgraphError
from roadgraph.network.network import read_network
from roadgraph.predict.forecaster import Forecaster
from roadgraph.serving.tables import frame_of_answer, slices_of_request
from roadgraph.training.bundle import read_bundle


class ServedModel(PythonModel):
    """A bundle and its network, which :func:`~roadgraph.serving.save.save_served_model` saved."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the bundle and the network, once for all requests."""
        bundle = read_bundle(Path(context.artifacts["bundle"]))
        self._forecaster = Forecaster.of(bundle, read_network(Path(context.artifacts["network"])))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Forecast every segment at every horizon from the newest of the slices.

        Args:
            context: not used; MLflow hands it to every model.
            model_input: the columns of ``schema.SLICES``, the newest slices of all segments: as
                many as ``slices`` in the model's metadata says. Fewer are answered too, as if
                nothing had been observed before them. Times without a zone are UTC.
            params: ``abstain_below``, as in :func:`~roadgraph.predict.predictions.predict_at`.

        Returns:
            The columns of ``schema.PREDICTIONS``, None where something is unknown. The ages of
            observations are those in the slices that were sent.

        Raises:
            MlflowException: the slices cannot be used; a server answers with the message and the
                status 400.
        """
        del context
        abstain_below = (params or {}).get("abstain_below", 0.0)
        try:
            if not 0 <= abstain_below <= 1:
                raise DataError(f"abstain_below must lie between 0 and 1 (found {abstain_below})")
            observations = self._forecaster.observations(
                slices_of_request(model_input), self._forecaster.bundle.slice_minutes
            )
            predictions = self._forecaster.forecast(
                observations, observations.newest_end, abstain_below
            )
        except RoadgraphError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        return frame_of_answer(predictions)
