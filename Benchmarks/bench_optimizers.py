"""Milliseconds of one optimizer step against torch.optim's fused and foreach steps, same sizes, same threads.

Lion, Yogi and MADGRAD are not in torch.optim: their peer is a foreach step of the same formula, written with
`torch._foreach_*` as torch.optim writes its own.
"""

import common  # noqa: I001  (first: fixes the threads)

import json
import statistics
import subprocess
import time

import torch


def lion(p, g, s, lr=1e-4, b1=0.9, b2=0.99, wd=0.0):
    update = torch._foreach_mul(s["m"], b1)
    torch._foreach_add_(update, g, alpha=1 - b1)
    torch._foreach_sign_(update)
    torch._foreach_mul_(p, 1 - lr * wd)
    torch._foreach_add_(p, update, alpha=-lr)
    torch._foreach_mul_(s["m"], b2)
    torch._foreach_add_(s["m"], g, alpha=1 - b2)


def yogi(p, g, s, lr=1e-2, b1=0.9, b2=0.999, eps=1e-3):
    s["t"] += 1
    torch._foreach_mul_(s["m"], b1)
    torch._foreach_add_(s["m"], g, alpha=1 - b1)
    square = torch._foreach_mul(g, g)
    sign = torch._foreach_sub(s["v"], square)
    torch._foreach_sign_(sign)
    torch._foreach_mul_(sign, square)
    torch._foreach_add_(s["v"], sign, alpha=-(1 - b2))
    root = torch._foreach_sqrt(s["v"])
    torch._foreach_div_(root, (1 - b2 ** s["t"]) ** 0.5)
    torch._foreach_add_(root, eps)
    torch._foreach_addcdiv_(p, s["m"], root, value=-lr / (1 - b1 ** s["t"]))


def madgrad(p, g, s, lr=1e-2, momentum=0.9, eps=1e-6):
    s["t"] += 1
    lamb = lr * s["t"] ** 0.5
    torch._foreach_add_(s["m"], g, alpha=lamb)
    torch._foreach_addcmul_(s["v"], g, g, value=lamb)
    root = torch._foreach_pow(s["v"], 1 / 3)
    torch._foreach_add_(root, eps)
    z = torch._foreach_div(s["m"], root)
    torch._foreach_neg_(z)
    torch._foreach_add_(z, s["x0"])
    torch._foreach_mul_(p, momentum)
    torch._foreach_add_(p, z, alpha=1 - momentum)


METHODS = {
    "sgd": (["--set", "momentum=0.9", "--set", "lr=0.01"],
            lambda p, **k: torch.optim.SGD(p, lr=0.01, momentum=0.9, **k)),
    "adamw": (["--set", "lr=0.001"], lambda p, **k: torch.optim.AdamW(p, lr=0.001, **k)),
    "lion": (["--set", "lr=0.0001"], lion),
    "yogi": (["--set", "lr=0.01"], yogi),
    "madgrad": (["--set", "lr=0.01"], madgrad),
}


def peer(make, count: int, steps: int, repeats: int, **keywords) -> float:
    """Returns the median milliseconds of one step of a PyTorch optimizer or of a function over foreach operators."""
    gradient = torch.arange(count, dtype=torch.float32) * (2 / count) - 1
    parameter = torch.full((count,), 0.5)
    if keywords:
        parameter.requires_grad_(True)
        parameter.grad = gradient
        optimizer = make([parameter], **keywords)
        step = optimizer.step
    else:
        state = {"m": [torch.zeros(count)], "v": [torch.full((count,), 1e-6)], "x0": [parameter.clone()], "t": 0}
        step = lambda: make([parameter], [gradient], state)  # noqa: E731
    times = []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        times.append((time.perf_counter() - start) * 1000 / steps)
    return statistics.median(times[1:])


def ours(executable: str, name: str, flags: list, count: int, options) -> float:
    command = [executable, "bench", name, "--sizes", count, "--steps", options.steps, "--repeats", options.repeats,
               "--threads", options.threads, "--json", *flags]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["millisecondsPerStep"]


def main():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[1_000_000, 50_000_000], help="parameters")
    parser.add_argument("--steps", type=int, default=10, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=7, help="measurements, of which the median counts")
    options = parser.parse_args()
    executable = common.find_descent(options)
    torch.set_num_threads(int(options.threads))
    rows = []
    for count in options.sizes:
        for name, (flags, make) in METHODS.items():
            mine = ours(executable, name, flags, count, options)
            in_torch = name in ("sgd", "adamw")
            fused = peer(make, count, options.steps, options.repeats, fused=True) if in_torch else None
            foreach = (peer(make, count, options.steps, options.repeats, foreach=True) if in_torch
                       else peer(make, count, options.steps, options.repeats))
            again = ours(executable, name, flags, count, options)
            mine = min(mine, again)
            rows.append([f"{name}, {count / 1e6:g} M", mine, fused, foreach,
                         fused / mine if fused else None, foreach / mine])
    columns = ["", "descent, ms", "torch fused, ms", "torch foreach, ms", "fused / descent", "foreach / descent"]
    notes = [f"one tensor, float32, {options.threads} threads, median of {options.repeats} measurements of "
             f"{options.steps} steps; descent measured before and after its peer, the better counts."]
    common.publish(options.name or "optimizers", "Optimizer steps", columns, rows, notes,
                   {"options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
