"""Writes schedules.json: learning rates of PyTorch's schedulers, step by step.

Run with PyTorch installed:

    OMP_NUM_THREADS=1 python schedules.py [output directory]

The file goes to ../Resources, next to this script's folder, or to a directory that is given.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim import lr_scheduler

BASE = 0.1


def schedules():
    cases = []

    def rates(build, steps, metrics=None):
        """The learning rate in force at each step, the scheduler being stepped after it."""
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)
        scheduler = build(optimizer)
        result = []
        for k in range(steps):
            result.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if k + 1 < steps:
                scheduler.step(*(() if metrics is None else (metrics[k],)))
        return result

    def add(name, kind, steps=60, metrics=None, **config):
        lr = rates(lambda o: getattr(lr_scheduler, kind)(o, **config), steps, metrics)
        case = {"name": name, "kind": kind, "base": BASE, "config": config, "lr": lr}
        if metrics is not None:
            case["metrics"] = metrics
        cases.append(case)

    add("constant", "ConstantLR", factor=0.5, total_iters=10)
    add("step", "StepLR", step_size=10, gamma=0.5)
    add("multi_step", "MultiStepLR", milestones=[10, 30], gamma=0.1)
    add("exponential", "ExponentialLR", gamma=0.95)
    add("polynomial", "PolynomialLR", total_iters=40, power=2.0)
    add("cosine", "CosineAnnealingLR", steps=41, T_max=40, eta_min=0.001)
    add("linear", "LinearLR", start_factor=0.1, end_factor=1.0, total_iters=20)
    for name, options in (("one_cycle", {"anneal_strategy": "cos", "three_phase": False}),
                          ("one_cycle_three_phase_linear",
                           {"anneal_strategy": "linear", "three_phase": True})):
        add(name, "OneCycleLR", max_lr=0.1, total_steps=60, pct_start=0.3, div_factor=25.0,
            final_div_factor=1e4, cycle_momentum=False, **options)
    add("cosine_warm_restarts", "CosineAnnealingWarmRestarts", T_0=10, T_mult=2, eta_min=0.001)

    # A descent, a plateau with changes below the threshold, a drop and a last plateau.
    metrics = [round(max(0.5, 1 - 0.05 * k) - 0.1 * (k >= 32) + 0.0002 * math.sin(k * k), 6)
               for k in range(60)]
    add("reduce_on_plateau", "ReduceLROnPlateau", metrics=metrics, mode="min", factor=0.5,
        patience=3, threshold=1e-3, threshold_mode="rel", cooldown=2, min_lr=1e-3, eps=1e-8)

    warmup = {"start_factor": 0.1, "end_factor": 1.0, "total_iters": 10}
    cosine = {"T_max": 50, "eta_min": 0.0}
    lr = rates(lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, **warmup), lr_scheduler.CosineAnnealingLR(o, **cosine)],
        milestones=[10]), 60)
    cases.append({
        "name": "warmup_then_cosine", "kind": "SequentialLR", "base": BASE,
        "config": {"schedulers": [{"kind": "LinearLR", "config": warmup},
                                  {"kind": "CosineAnnealingLR", "config": cosine}],
                   "milestones": [10]},
        "lr": lr})
    return cases


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "Resources"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(case, separators=(",", ":"), allow_nan=False) for case in schedules()]
    (folder / "schedules.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
