"""Writes one trajectory file for each optimizer, in which no hyperparameter has its default:

    ../Resources/settings/NAME.json

and prodigy_warmup.json beside that folder, in which the rate changes with the steps.

Run with these installed: torch, pytorch-optimizer, dadaptation, prodigyopt, schedulefree.

    OMP_NUM_THREADS=1 python trajectories.py [output directory]

Everything is computed in float64. Two references round on the way, which is changed
here: torch.optim.Muon goes through bfloat16 and pytorch-optimizer's SOAP factors in
float32. Shampoo's blocks and grafting are computed with NumPy from the papers.

The gradients are those of the softmax problem at the parameters of each step, plus
0.2 sin of a count, so that their signs change. L-BFGS evaluates the function itself
and gets no such term.
"""

import inspect
import json
import math
import sys
from pathlib import Path

import dadaptation
import numpy as np
import prodigyopt
import pytorch_optimizer as po
import schedulefree
import torch
import torch.nn.functional as F
from torch.optim import _muon

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

STEPS = 14
X = torch.tensor([[math.sin(0.7 * (i + 1) * (j + 1)) + 0.1 * j for j in range(4)] for i in range(12)])
LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1])
W0 = [[0.05 * (((k + 1) * (j + 2)) % 7 - 3) for j in range(4)] for k in range(3)]


def loss(w, b):
    return F.cross_entropy(X @ w.T + b, LABELS) + 0.025 * (w.square().sum() + b.square().sum())


def exact(function, module, old, new):
    """A function of a module with one expression of its source replaced."""
    source = inspect.getsource(function)
    assert source.count(old) == 1
    space = dict(vars(module))
    exec(source.replace(old, new), space)
    return space[function.__name__]


_muon._zeropower_via_newtonschulz = exact(
    _muon._zeropower_via_newtonschulz, _muon, "grad.bfloat16()", "grad.clone()")


class ExactSOAP(po.SOAP):
    def get_orthogonal_matrix_qr(self, *arguments, **options):
        single, torch.float32 = torch.float32, torch.float64
        try:
            return super().get_orthogonal_matrix_qr(*arguments, **options)
        finally:
            torch.float32 = single


class Muon:
    """torch.optim.Muon for the matrix and AdamW for the vector."""

    def __init__(self, parameters, adamw_lr, weight_decay, **settings):
        self.parts = [torch.optim.Muon([p for p in parameters if p.dim() == 2], weight_decay=weight_decay, **settings),
                      torch.optim.AdamW([p for p in parameters if p.dim() != 2], lr=adamw_lr,
                                        weight_decay=weight_decay)]

    def step(self):
        for part in self.parts:
            part.step()


class BlockedShampoo:
    """Gupta, Koren and Singer 2018, Algorithm 2, on blocks of each side, with a grafted length."""

    def __init__(self, parameters, lr, momentum, weight_decay, matrix_eps, preconditioning_compute_steps, block_size,
                 grafting):
        self.parameters, self.count = parameters, 0
        self.lr, self.decay, self.eps, self.momentum = lr, weight_decay, matrix_eps, momentum
        self.every, self.block, self.grafting = preconditioning_compute_steps, block_size, grafting
        self.factors, self.roots, self.squares, self.last = {}, {}, {}, {}

    def step(self):
        for index, parameter in enumerate(self.parameters):
            g = parameter.grad.numpy()
            g = (1 - self.momentum) * g + self.momentum * self.last.get(index, g) + self.decay * parameter.numpy()
            length = self.length(index, g)
            direction = g.copy()
            for axis in range(g.ndim):
                for start in range(0, g.shape[axis], self.block):
                    rows = np.arange(start, min(start + self.block, g.shape[axis]))
                    part = np.moveaxis(g.take(rows, axis), axis, 0).reshape(len(rows), -1)
                    key = (index, axis, start)
                    self.factors[key] = self.factors.get(key, self.eps * np.eye(len(rows))) + part @ part.T
                    if self.count % self.every == 0:
                        values, vectors = np.linalg.eigh(self.factors[key])
                        self.roots[key] = (vectors * values ** (-0.5 / g.ndim)) @ vectors.T
                    view = np.moveaxis(direction, axis, 0)
                    view[rows] = np.tensordot(self.roots[key], view[rows], 1)
            self.last[index] = direction.copy()
            if length is not None:
                direction *= length / np.linalg.norm(direction)
            parameter.copy_(parameter - self.lr * torch.from_numpy(direction))
        self.count += 1

    def length(self, index, g):
        if self.grafting == "none":
            return None
        if self.grafting == "sgd":
            return np.linalg.norm(g)
        old = self.squares.get(index, np.zeros_like(g))
        self.squares[index] = old + g * g if self.grafting == "adagrad" else 0.99 * old + 0.01 * g * g
        return np.linalg.norm(g / (np.sqrt(self.squares[index]) + 1e-10))


ADAM = {"lr": 0.03, "betas": [0.8, 0.95], "eps": 0.01, "weight_decay": 0.05}
FREE = {"warmup_steps": 4, "r": 0.5, "weight_lr_power": 1.5, "weight_decay": 0.05}
SHAMPOO = {"lr": 0.05, "momentum": 0.3, "weight_decay": 0.05, "matrix_eps": 0.01, "preconditioning_compute_steps": 2}
CURVED = {"lr": 0.2, "max_iter": 3, "max_eval": 3, "history_size": 3, "tolerance_grad": 0.02,
          "tolerance_change": 2e-3}
torch_optim = torch.optim

# Name, reference, settings, and what the reference needs besides.
CASES = [
    ("sgd", torch_optim.SGD, {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05}, {}),
    ("sgd", torch_optim.SGD, {"lr": 0.1, "momentum": 0.7, "nesterov": True, "weight_decay": 0.02}, {}),
    ("adam", torch_optim.Adam, ADAM, {}),
    ("adam", torch_optim.Adam, ADAM | {"amsgrad": True}, {}),
    ("adamw", torch_optim.AdamW, ADAM, {}),
    ("adamw", torch_optim.AdamW, ADAM | {"amsgrad": True}, {}),
    ("amsgrad", torch_optim.Adam, ADAM | {"amsgrad": True}, {}),
    ("adagrad", torch_optim.Adagrad,
     {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05, "initial_accumulator_value": 0.2, "eps": 0.01}, {}),
    ("adadelta", torch_optim.Adadelta, {"lr": 0.7, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.05}, {}),
    ("rmsprop", torch_optim.RMSprop,
     {"lr": 0.02, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.05, "momentum": 0.5, "centered": True}, {}),
    ("rmsprop", torch_optim.RMSprop, {"lr": 0.02, "alpha": 0.8, "eps": 0.1, "weight_decay": 0.01}, {}),
    ("nadam", torch_optim.NAdam, ADAM | {"momentum_decay": 0.02}, {}),
    ("nadam", torch_optim.NAdam, ADAM | {"momentum_decay": 0.01, "decoupled_weight_decay": True}, {}),
    ("radam", torch_optim.RAdam, ADAM, {}),
    ("radam", torch_optim.RAdam, ADAM | {"decoupled_weight_decay": True}, {}),
    ("adamax", torch_optim.Adamax, ADAM, {}),
    ("rprop", torch_optim.Rprop, {"lr": 0.01, "etas": [0.4, 1.3], "step_sizes": [0.006, 0.02]}, {}),
    ("averaged_sgd", torch_optim.ASGD, {"lr": 0.1, "lambd": 0.05, "alpha": 0.6, "t0": 5, "weight_decay": 0.05}, {}),
    ("lbfgs", torch_optim.LBFGS, CURVED | {"line_search_fn": "strong_wolfe"}, {}),
    ("lbfgs", torch_optim.LBFGS, CURVED | {"max_iter": 2, "max_eval": 9}, {}),
    ("lion", po.Lion, {"lr": 0.01, "betas": [0.85, 0.95], "weight_decay": 0.1}, {}),
    ("yogi", po.Yogi, ADAM | {"initial_accumulator": 0.01}, {}),
    ("madgrad", po.MADGRAD, {"lr": 0.02, "momentum": 0.8, "weight_decay": 0.05, "eps": 1e-3}, {}),
    # The larger floor is above most of the estimates.
    *[("adafactor", torch_optim.Adafactor,
       {"lr": 0.05, "beta2_decay": -0.7, "eps": [floor, 0.01], "d": 1.05, "weight_decay": 0.05}, {})
      for floor in (1e-3, 0.2)],
    # The reference leaves the first inverse root zero unless it computes one at each step.
    ("shampoo", po.Shampoo, SHAMPOO | {"preconditioning_compute_steps": 1}, {"weight_decouple": False}),
    *[("shampoo", BlockedShampoo, SHAMPOO | {"block_size": 3, "grafting": grafting}, {})
      for grafting in ("none", "sgd", "adagrad", "rmsprop")],
    ("soap", ExactSOAP, ADAM | {"precondition_frequency": 3, "max_precondition_dim": 10}, {}),
    ("soap", ExactSOAP, ADAM | {"precondition_frequency": 1, "max_precondition_dim": 3}, {}),
    *[("muon", Muon, {"lr": 0.02, "weight_decay": 0.05, "momentum": 0.8, "nesterov": nesterov, "ns_steps": 3,
                      "eps": 1, "adjust_lr_fn": scale, "adamw_lr": 0.05}, {})
      for nesterov, scale in ((True, "original"), (False, "match_rms_adamw"))],
    ("dadapt_adam", dadaptation.DAdaptAdam, ADAM | {"lr": 0.8, "d0": 1e-3, "growth_rate": 1.5}, {}),
    ("dadapt_adam", dadaptation.DAdaptAdam, ADAM | {"lr": 0.8, "d0": 1e-3}, {}),
    # The reference leaves the decay out of the first gradient's norm.
    ("dadapt_sgd", dadaptation.DAdaptSGD, {"lr": 0.8, "momentum": 0.7, "d0": 1e-3, "growth_rate": 1.5}, {}),
    ("dadapt_sgd", dadaptation.DAdaptSGD, {"lr": 0.8, "momentum": 0.7, "d0": 1e-3}, {}),
    ("prodigy", prodigyopt.Prodigy, ADAM | {"lr": 0.8, "d0": 1e-3, "d_coef": 0.7, "growth_rate": 1.5}, {}),
    ("prodigy", prodigyopt.Prodigy, ADAM | {"lr": 0.8, "d0": 1e-3, "d_coef": 0.7}, {}),
    ("schedulefree_sgd", schedulefree.SGDScheduleFree, {"lr": 0.5, "momentum": 0.7} | FREE, {"foreach": False}),
    ("schedulefree_adamw", schedulefree.AdamWScheduleFree, ADAM | FREE, {"foreach": False}),
]


def two_biases(w, b):
    """The softmax problem with a bias for the first two classes alone.

    The first Gram matrix of a vector has rank one: with three entries its eigenbasis is whatever rounding makes of it,
    with two it is unique up to signs, which cancel.
    """
    logits = X @ w.T + torch.cat([b, torch.zeros(1)])
    return F.cross_entropy(logits, LABELS) + 0.025 * (w.square().sum() + b.square().sum())


SOFTMAX = ("softmax", loss, 3)
TWO_BIASES = ("softmax_two_biases", two_biases, 2)
PRODIGY = ADAM | {"lr": 0.8, "d0": 5e-3, "d_coef": 2}
WARM_UP = [0.8 * min(1, (t + 1) / 8) ** 2 for t in range(STEPS)]

# File, optimizer, reference, settings, problem, and the rate of each step where it changes.
EXTRA = [(name, name, reference, settings | {"maximize": True}, SOFTMAX, None)
         for name, reference, settings, extra in CASES
         if reference.__module__.startswith("torch.optim") and "maximize" in inspect.signature(reference).parameters]
EXTRA += [
    ("prodigy", "prodigy", prodigyopt.Prodigy, PRODIGY | more, SOFTMAX, None) for more in (
        {"growth_rate": 1.5, "safeguard_warmup": True, "slice_p": 3}, {"safeguard_warmup": False, "slice_p": 2},
        {"safeguard_warmup": True, "slice_p": 1}, {"safeguard_warmup": False, "slice_p": 100})]
EXTRA += [("prodigy_warmup", "prodigy", prodigyopt.Prodigy, PRODIGY | more, SOFTMAX, WARM_UP)
          for more in ({"safeguard_warmup": True, "slice_p": 2}, {"safeguard_warmup": False, "slice_p": 2})]
EXTRA += [
    ("soap", "soap", ExactSOAP, ADAM | {
        "precondition_frequency": frequency, "max_precondition_dim": largest, "precondition_1d": True}, problem, None)
    # A limit of two shuts the vector of three out.
    for frequency, largest, problem in ((3, 10, TWO_BIASES), (1, 3, TWO_BIASES), (1, 2, SOFTMAX))]


def values(tensors):
    return {name: tensor.tolist() for name, tensor in zip("Wb", tensors)}


def trajectory(reference, settings, problem=SOFTMAX, rates=None):
    name, loss, biases = problem
    parameters = [torch.tensor(W0, requires_grad=True), torch.zeros(biases, requires_grad=True)]
    optimizer = reference(parameters, **settings)
    if hasattr(optimizer, "train"):
        optimizer.train()
    closed = isinstance(optimizer, torch.optim.LBFGS)
    steps = []

    def closure():
        for parameter in parameters:
            parameter.grad = None
        value = loss(*parameters)
        value.backward()
        return value

    for t in range(STEPS if not closed else 5):
        step = {"loss_before": closure().item()}
        if rates:
            step["settings"] = {"lr": rates[t]}
            for group in optimizer.param_groups:
                group["lr"] = rates[t]
        if closed:
            optimizer.step(closure)
        else:
            for k, parameter in enumerate(parameters):
                count = torch.arange(parameter.numel()).reshape(parameter.shape)
                parameter.grad += 0.2 * torch.sin(1.7 * t + 2.3 * count + k)
            step["grad"] = values([parameter.grad for parameter in parameters])
            with torch.no_grad():
                optimizer.step()
        step["params_after"] = values(parameters)
        if hasattr(optimizer, "eval") and hasattr(optimizer, "train"):
            optimizer.eval()
            step["eval_params_after"] = values(parameters)
            optimizer.train()
        if isinstance(optimizer, torch.optim.ASGD):
            step["ax"] = values([optimizer.state[parameter]["ax"] for parameter in parameters])
        steps.append(step)
    return {"problem": {"name": name, "init": {"W": W0, "b": [0.0] * biases}}, "steps": steps}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "Resources"
    (folder / "settings").mkdir(parents=True, exist_ok=True)
    files = {}
    for name, reference, settings, extra in CASES:
        configs = files.setdefault(name, [])
        configs.append({
            "name": f"settings_{len(configs) + 1}", "source": f"{reference.__module__}.{reference.__name__}",
            "settings": settings if "line_search_fn" in settings or name != "lbfgs" else settings | {
                "line_search_fn": "none"},
            "trajectories": [trajectory(reference, {**settings, **extra})]})
    optimizers = {name: name for name in files}
    for file, name, reference, settings, problem, rates in EXTRA:
        configs = files.setdefault(file, [])
        optimizers[file] = name
        configs.append({
            "name": f"settings_{len(configs) + 1}", "source": f"{reference.__module__}.{reference.__name__}",
            "settings": settings, "trajectories": [trajectory(reference, settings, problem, rates)]})
    for name, configs in files.items():
        text = json.dumps({"optimizer": optimizers[name], "dtype": "float64", "configs": configs},
                          separators=(",", ":"))
        # The mutants of settings/ take a trajectory's settings for those of all its steps.
        place = folder / "settings" if name == optimizers[name] else folder
        (place / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
