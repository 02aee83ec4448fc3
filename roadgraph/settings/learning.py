"""Settings of models, their training and where runs are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from roadgraph.settings.setting import Setting

Backbone = Literal["mlp", "attention", "gcn", "gat", "roadnet"]
GraphKind = Literal["network", "self_loops"]
Size = Literal["simple", "enhanced"]
SpeedBase = Literal["last", "typical", "nothing"]


@dataclass(frozen=True)
class ModelSettings:
    """Which model, on which graph."""

    name: Annotated[Backbone, Setting("backbone")] = "gcn"
    graph: Annotated[
        GraphKind,
        Setting(
            "the road graph, or self-loops alone: the control, which hears no neighbour (roadnet's "
            "still hears of the whole city)"
        ),
    ] = "network"
    self_loop_weight: Annotated[
        float,
        Setting(
            "weight of a segment's own features beside its neighbours' links, gcn alone",
            "",
            0.01,
            1000,
        ),
    ] = 1.0
    tasks: Annotated[
        tuple[Literal["congestion", "rush_hour", "speed"], ...], Setting("heads of the model")
    ] = ("congestion", "rush_hour", "speed")
    speed_from: Annotated[
        SpeedBase,
        Setting(
            "the speed head forecasts the change from the window's last speed, from the typical "
            "speed of that time (needs dataset.history_channels), or the speed itself"
        ),
    ] = "last"
    heads: Annotated[
        int, Setting("heads of attention and gat; they divide the width", "", 1, 32)
    ] = 4
    dropout: Annotated[
        float, Setting("share of features left out in training, enhanced and roadnet", "1", 0, 0.9)
    ] = 0.3
    norm: Annotated[
        Literal["batch", "layer", "none"], Setting("normalisation behind a layer, enhanced alone")
    ] = "batch"
    residual: Annotated[
        bool, Setting("add a block's input to what comes out of it, enhanced alone")
    ] = True
    initialisation: Annotated[
        Literal["default", "he", "xavier"],
        Setting("how linear weights start: as PyTorch and PyG do, He's or Xavier's normal"),
    ] = "default"
    segment_embedding: Annotated[
        int,
        Setting(
            "learned features of every segment, roadnet alone, for segments that are mostly "
            "observed; 0: none, and the model runs on cities that it was not trained on",
            "",
            0,
            256,
        ),
    ] = 0


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained."""

    seed: Annotated[
        int, Setting("seed of weights, dropout, noise, hiding and batch order", "", 0, 2**31)
    ] = 1
    max_epochs: Annotated[int, Setting("passes over the training span at most", "", 1, 10_000)] = 60
    batch_size: Annotated[int, Setting("slices a step", "slices", 1, 4096)] = 32
    optimizer: Annotated[
        Literal["adamw", "adam", "sgd", "rmsprop"], Setting("how a gradient becomes a step")
    ] = "adamw"
    learning_rate: Annotated[float, Setting("step size", "", 1e-6, 1)] = 1e-3
    beta1: Annotated[
        float, Setting("Adam and AdamW: decay of the mean gradient", "", 0, 0.9999)
    ] = 0.9
    beta2: Annotated[
        float, Setting("Adam and AdamW: decay of the squared gradient", "", 0, 0.99999)
    ] = 0.999
    eps: Annotated[float, Setting("floor of the denominator, all but sgd", "", 1e-12, 1e-2)] = 1e-8
    momentum: Annotated[float, Setting("sgd and rmsprop: momentum", "", 0, 0.9999)] = 0.9
    weight_decay: Annotated[float, Setting("pull of the weights to 0", "", 0, 1)] = 0.01
    schedule: Annotated[
        Literal["plateau", "cosine", "one_cycle", "warmup_cosine", "exponential", "constant"],
        Setting("how the learning rate changes from epoch to epoch"),
    ] = "plateau"
    lr_factor: Annotated[float, Setting("plateau: factor of the learning rate", "", 0.01, 0.99)] = (
        0.5
    )
    lr_patience: Annotated[
        int, Setting("plateau: epochs without progress that are one", "", 1, 1000)
    ] = 10
    lr_floor: Annotated[float, Setting("smallest learning rate, plateau and cosines", "", 0, 1)] = (
        1e-6
    )
    lr_decay: Annotated[
        float, Setting("exponential: factor of the learning rate an epoch", "", 0.1, 1)
    ] = 0.97
    warmup_share: Annotated[
        float, Setting("one_cycle, warmup_cosine: share of all steps that warm up", "1", 0.001, 0.9)
    ] = 0.1
    clip_norm: Annotated[float, Setting("gradients are clipped to this norm", "", 1e-3, 1e3)] = 1.0
    patience: Annotated[
        int, Setting("epochs without progress that end the training", "", 1, 1000)
    ] = 20
    noise_std: Annotated[
        float, Setting("Gaussian noise on the scaled inputs", "standard deviations", 0, 1)
    ] = 0.01
    hidden_share: Annotated[
        float,
        Setting(
            "share of the segments whose observations are hidden from the model, others in every "
            "sample, so that it learns to estimate segments without probes",
            "1",
            0,
            0.9,
        ),
    ] = 0.0
    task_weights: Annotated[
        Literal["fixed", "uncertainty"],
        Setting(
            "tasks weigh what the next three settings say, or what is learned from their "
            "uncertainty (homoscedastic), beginning there"
        ),
    ] = "fixed"
    congestion_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    rush_hour_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    speed_weight: Annotated[float, Setting("weight of the task in the loss", "", 0, 100)] = 1.0
    speed_loss: Annotated[
        Literal["huber", "absolute", "squared"],
        Setting("what a speed error costs: its square up to 1 standard deviation, or everywhere"),
    ] = "huber"
    class_weights: Annotated[
        Literal["none", "sqrt_inverse", "inverse"],
        Setting("how rare classes count more in the congestion loss (training frequencies)"),
    ] = "none"
    focal_gamma: Annotated[
        float,
        Setting("focal loss of congestion: how little sure cells count; 0: all alike", "", 0, 5),
    ] = 0.0
    label_smoothing: Annotated[
        float, Setting("share of each congestion label spread over all classes", "1", 0, 0.5)
    ] = 0.0
    quality_weights: Annotated[
        bool, Setting("weigh each cell by the quality_score of its measurement")
    ] = False
    precision: Annotated[
        Literal["32", "bf16", "fp16"],
        Setting("number format of the forward pass; fp16 needs a GPU and scales its gradients"),
    ] = "32"
    tile_segments: Annotated[
        int,
        Setting(
            "train over tiles of the road graph of at most so many segments, cut by place, each "
            "with the neighbours that the layers hear, for networks larger than a city; to "
            "attention and roadnet's hubs a tile is then the whole city, in prediction too, and to "
            "batch norm in training; 0: the whole graph at once",
            "segments",
            0,
            10_000_000,
        ),
    ] = 0
    accumulate: Annotated[
        int, Setting("batches whose gradients are added up for a step", "batches", 1, 1000)
    ] = 1
    recompute_activations: Annotated[
        bool, Setting("gradient checkpointing: less memory for a second forward pass")
    ] = False
    averaging: Annotated[
        Literal["none", "ema", "swa"],
        Setting(
            "weights to keep: those of the best epoch, their exponential moving average, or the "
            "mean of the last quarter of the epochs (stochastic weight averaging)"
        ),
    ] = "none"
    refit: Annotated[
        bool,
        Setting(
            "when all is chosen, train once more on the training and the validation span together, "
            "for as many epochs as were best; temperature, decisions and intervals stay those of "
            "the first training",
        ),
    ] = False
    ema_decay: Annotated[
        float, Setting("ema: part of the average that stays a step", "", 0.5, 0.99999)
    ] = 0.99
    overfit_batches: Annotated[
        int,
        Setting(
            "self-check: train and validate on so many batches alone; a sound model learns them "
            "by heart; 0: off",
            "batches",
            0,
            1000,
        ),
    ] = 0
    decision: Annotated[
        Literal["likeliest", "macro_f1"],
        Setting(
            "the class to answer: the likeliest, or the probabilities weighted so that macro F1 "
            "on the validation span is best"
        ),
    ] = "macro_f1"
    temperature: Annotated[
        bool, Setting("scale the logits to the likeliest probabilities of the validation span")
    ] = True
    device: Annotated[
        Literal["auto", "cpu", "gpu"], Setting("auto takes the GPU when there is one")
    ] = "auto"
    devices: Annotated[
        int,
        Setting(
            "processes that share each batch, or take a tile each, one a device (distributed)",
            "",
            1,
            64,
        ),
    ] = 1
    data_on: Annotated[
        Literal["auto", "device", "host"],
        Setting(
            "where the data lie: on the device; on the host, from where each step's part is sent "
            "while the step before runs; auto: on the host where half of the GPU's free memory is "
            "too little"
        ),
    ] = "auto"
    storage: Annotated[
        Literal["float32", "bf16"],
        Setting("number format in which the inputs lie there; bf16 takes half and keeps 3 digits"),
    ] = "float32"
    compile: Annotated[
        Literal["auto", "off", "on", "cuda_graphs"],
        Setting(
            "compile the model with torch.compile, cuda_graphs: and capture it; auto: on, on a GPU "
            "where there are steps enough to make up for the slow first one"
        ),
    ] = "auto"
    keep_memory: Annotated[
        bool,
        Setting(
            "on the CPU: keep freed memory in the process for the next step instead of asking the "
            "system for it again (glibc)"
        ),
    ] = True
    resume: Annotated[
        bool, Setting("go on with a training of the same settings that was interrupted")
    ] = True
    profile: Annotated[
        bool, Setting("write a trace of the first steps for chrome://tracing or Perfetto")
    ] = False


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are recorded."""

    enabled: Annotated[bool, Setting("record runs in MLflow")] = True
    uri: Annotated[
        str,
        Setting(
            "MLflow store: http:// or https:// of a server, or a database (sqlite:///, "
            "postgresql://, mysql://, mssql://); empty: MLFLOW_TRACKING_URI, else mlflow.db in the "
            "workspace"
        ),
    ] = ""
    ui: Annotated[
        str,
        Setting(
            "address at which people open the MLflow pages, for links; empty: the server's, or "
            "that of a local `mlflow ui`, http://127.0.0.1:5000"
        ),
    ] = ""
    patience_s: Annotated[
        float,
        Setting(
            "how long a finished comparison waits for a slow store; what was not sent by then is "
            "kept for `roadgraph track --resend`",
            "s",
            0,
            3600,
        ),
    ] = 60.0
    timeout_s: Annotated[
        int, Setting("how long a single call to a server may take", "s", 1, 600)
    ] = 10
