"""Writes one trajectory file for each transformation around an optimizer, in which no hyperparameter has its default:

    ../Resources/transformations/NAME.json

Run with these installed: torch, pytorch-optimizer.

    OMP_NUM_THREADS=1 python transformations.py [output directory]

Everything is computed in float64, around SGD with momentum of torch.optim; pytorch-optimizer's SAM sums its norm in
float32, which is changed here. The gradients are those of the softmax
problem of trajectories.py, plus 0.2 sin of a count; sharpness-aware steps evaluate the function itself and get no such
term.
"""

import inspect
import json
import math
import sys
from pathlib import Path

import pytorch_optimizer as po
import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def exact_norm(groups, **_):
    return sum(p.grad.square().sum() for group in groups for p in group["params"]).reshape(1)


vars(inspect.getmodule(po.SAM))["get_global_gradient_norm"] = exact_norm

STEPS = 14
X = torch.tensor([[math.sin(0.7 * (i + 1) * (j + 1)) + 0.1 * j for j in range(4)] for i in range(12)])
LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1])
W0 = [[0.05 * (((k + 1) * (j + 2)) % 7 - 3) for j in range(4)] for k in range(3)]
SGD = {"lr": 0.2, "momentum": 0.7}


class Softmax(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.W = torch.nn.Parameter(torch.tensor(W0))
        self.b = torch.nn.Parameter(torch.zeros(3))

    def forward(self):
        return F.cross_entropy(X @ self.W.T + self.b, LABELS) + 0.025 * (self.W.square().sum() + self.b.square().sum())


def values(model, name=lambda tensor: tensor):
    return {"W": name(model.W).tolist(), "b": name(model.b).tolist()}


def differentiate(model, t):
    """The gradients of step t, which are not those of any function."""
    model.zero_grad()
    model().backward()
    for k, parameter in enumerate((model.W, model.b)):
        count = torch.arange(parameter.numel()).reshape(parameter.shape)
        parameter.grad += 0.2 * torch.sin(1.7 * t + 2.3 * count + k)


def run(chain):
    model = Softmax()
    names = [name for name, _ in chain["before"] + chain["after"]]
    settings = dict(chain["before"] + chain["after"])
    decay = settings.get("weight_decay", {}).get("weight_decay", 0)
    optimizer = torch.optim.SGD(model.parameters(), **SGD, weight_decay=decay)
    stepper = optimizer
    if "lookahead" in names:
        own = settings["lookahead"]
        stepper = po.Lookahead(optimizer, k=own["k"], alpha=own["alpha"], pullback_momentum="none")
    if "sam" in names:
        stepper = po.SAM(model.parameters(), torch.optim.SGD, rho=settings["sam"]["rho"], **SGD)
    average = None
    if "ema" in names:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings["ema"]["decay"]))
    steps = []
    for t in range(STEPS):
        step = {}
        if "sam" in names:
            def closure():
                model.zero_grad()
                value = model()
                value.backward()
                return value
            closure()
            stepper.step(closure)
        else:
            differentiate(model, t)
            step["grad"] = values(model, lambda tensor: tensor.grad)
            if "clip_norm" in names:
                clip_grad_norm_(model.parameters(), settings["clip_norm"]["max_norm"])
            if "clip_value" in names:
                clip_grad_value_(model.parameters(), settings["clip_value"]["clip_value"])
            stepper.step()
        step["params_after"] = values(model)
        if average is not None:
            average.update_parameters(model)
            step["eval_params_after"] = values(average.module)
        steps.append(step)
    return {"problem": {"name": "softmax", "init": {"W": W0, "b": [0.0] * 3}}, "steps": steps}


# Name, its settings, where it stands, and the reference.
CASES = [
    ("clip_norm", {"max_norm": 0.6}, "before", "torch.nn.utils.clip_grad_norm_"),
    ("clip_value", {"clip_value": 0.25}, "before", "torch.nn.utils.clip_grad_value_"),
    ("weight_decay", {"weight_decay": 0.05}, "before", "torch.optim.SGD"),
    ("sam", {"rho": 0.3}, "before", "pytorch_optimizer.SAM"),
    ("lookahead", {"k": 3, "alpha": 0.6}, "after", "pytorch_optimizer.Lookahead"),
    ("ema", {"decay": 0.8}, "after", "torch.optim.swa_utils.AveragedModel"),
]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "Resources"
    folder = folder / "transformations"
    folder.mkdir(parents=True, exist_ok=True)

    def configuration(name, before, after, source):
        named = lambda chain: [{"name": one, "settings": settings} for one, settings in chain]
        return {"name": name, "source": source, "settings": SGD, "before": named(before), "after": named(after),
                "trajectories": [run({"before": before, "after": after})]}

    def write(name, configs):
        text = json.dumps({"optimizer": "sgd", "dtype": "float64", "configs": configs}, separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n")

    for name, settings, place, source in CASES:
        chain = [(name, settings)]
        before, after = (chain, []) if place == "before" else ([], chain)
        write(name, [configuration(name, before, after, source)])
    # torch decays the weights behind the clipping; the average is taken of what Lookahead leaves.
    write("chain", [configuration(
        "chain", [("clip_norm", {"max_norm": 0.6}), ("weight_decay", {"weight_decay": 0.05})],
        [("lookahead", {"k": 3, "alpha": 0.6}), ("ema", {"decay": 0.8})], "all of these")])


if __name__ == "__main__":
    main()
