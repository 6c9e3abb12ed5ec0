"""Reads a model that `descent` wrote, predicts with it in NumPy, and evaluates the convex objective.

Nothing here shares code with descent: it is the second opinion on its files and on its objective values.
"""

from pathlib import Path

import numpy as np


def load(folder_or_file) -> dict[str, np.ndarray]:
    """Returns the tensors of a model file, or of the one in a run folder, in float64 (indices stay integers)."""
    from safetensors.numpy import load_file

    path = Path(folder_or_file)
    tensors = load_file(path / "model.safetensors" if path.is_dir() else path)
    return {k: v if v.dtype.kind in "iub" else v.astype(np.float64) for k, v in tensors.items()}


def scaled(model: dict, x: np.ndarray) -> np.ndarray:
    """Returns the rows as the first layer sees them."""
    x = np.asarray(x, np.float64)
    if "input.columns" in model:  # columns that hold nothing were dropped
        x = x[:, model["input.columns"].astype(int)]
    return (x - model["input.mean"]) / model["input.scale"] if "input.mean" in model else x


def hidden_bias(model: dict) -> np.ndarray:
    """Returns the hidden units' biases, zeros for a model without."""
    return model.get("layer1.bias", np.zeros(len(model["layer1.weight"])))


def open_gates(model: dict, rows: np.ndarray) -> np.ndarray:
    """Returns which hidden units are on for each (scaled) row of a gated model."""
    weight = model["gates.weight"]
    bias = model.get("gates.bias", np.zeros(len(weight)))
    pattern = rows @ weight.T + bias >= 0
    index = model.get("gates.index")
    return pattern if index is None else pattern[:, index]


def predict(model: dict, x: np.ndarray) -> np.ndarray:
    """Returns the outputs (rows × outputs) of a ReLU or gated model."""
    rows = scaled(model, x)
    before = rows @ model["layer1.weight"].T + hidden_bias(model)
    after = before * open_gates(model, rows) if "gates.weight" in model else np.maximum(before, 0)
    outputs = after @ model["layer2.weight"].T + model.get("layer2.bias", 0.0)
    return outputs * model.get("output.scale", 1.0) + model.get("output.mean", 0.0)


def gated_blocks(model: dict) -> np.ndarray:
    """Returns the convex program's blocks U (gates × inputs with the bias last × outputs) of a gated model.

    Units that share a gate add up before any norm is taken, so that the representation does not matter.
    """
    first = np.column_stack([model["layer1.weight"], hidden_bias(model)])
    gates = len(model["gates.weight"])
    index = model.get("gates.index", np.arange(gates))
    blocks = np.zeros((gates, first.shape[1], len(model["layer2.weight"])))
    np.add.at(blocks, index, first[:, :, None] * model["layer2.weight"].T[:, None, :])
    return blocks


def gated_objective(x: np.ndarray, gates: np.ndarray, blocks: np.ndarray, targets: np.ndarray, beta: float) -> float:
    """Returns ½‖Σᵢ Dᵢ X Uᵢ − Y‖² + β Σᵢ Σ_c ‖Uᵢ꜀‖₂ in float64; `x` holds the ones column when there is a bias."""
    x = np.asarray(x, np.float64)
    patterns = x @ np.asarray(gates, np.float64) >= 0
    fitted = np.zeros(targets.shape)
    for i, block in enumerate(blocks):
        fitted += patterns[:, [i]] * (x @ block)
    return 0.5 * float(((fitted - targets) ** 2).sum()) + beta * float(np.linalg.norm(blocks, axis=1).sum())
