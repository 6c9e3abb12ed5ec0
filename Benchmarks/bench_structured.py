"""Milliseconds of one regularised step against the proximal-gradient loop of RAMDA's published experiments.

That loop is written here in PyTorch from its description; with the published gradients it takes the same iterations to
the same weights. torch.optim's fused AdamW, and descent's step without a penalty, say what structure costs.
"""

import common  # noqa: I001  (first: fixes the threads)

import itertools
import math
import statistics
import timeit

import torch

from bench_optimizers import ours

SHAPES = [(256, 256, 3, 3), (512, 512, 3, 3), (1000, 2048)]
STRENGTH = 1e-4
# Small thresholds need a singular value decomposition, larger ones can do with less: both are in the table.
NUCLEAR = list(itertools.product([(512, 784), (192, 768)], [1e-3, 1e-2]))
WARM_UP, MEASURED = 20, 10
COLUMNS = "|descent, ms|{0}, ms|AdamW fused, ms|unregularised, ms|{0} / descent|descent / unregularised|descent / AdamW"


def proximal_gradient(w, centre, linear, metric, weight, max_iters=100, rtol=1e-8):
    """Returns argmin_x <linear, x-centre> + ½ <x-centre, metric (x-centre)> + weight Σ √|g| ‖x_g‖ and the iterations
    from w to it. A group is an input channel: what shares an index in dimension 1.
    """
    within = [dim for dim in range(w.dim()) if dim != 1]
    threshold = weight * math.sqrt(w.numel() / w.shape[1])
    solution = torch.zeros_like(w)
    kept = torch.linalg.vector_norm(metric * centre - linear, dim=within) > threshold
    x, centre, linear, metric = (tensor[:, kept] for tensor in (w, centre, linear, metric))
    step, move, previous = 1 / metric.amax(within, keepdim=True), x - centre, math.inf
    for iteration in range(max_iters):
        x = torch.addcmul(x, step, torch.addcmul(linear, metric, move), value=-1)
        norms = torch.relu(torch.linalg.vector_norm(x, dim=within, keepdim=True) - step * threshold)
        x *= norms / (norms + step * threshold)
        move = x - centre
        objective = ((move * torch.addcmul(linear, metric, move, value=0.5)).sum() + threshold * norms.sum()).item()
        if iteration > 0 and (previous - objective) / (abs(objective) + 1) < rtol:
            break
        previous = objective
    solution[:, kept] = x
    return solution, iteration + 1


def ramda(w, g, s, strength=STRENGTH, lr=1e-2, momentum=0.1, eps=1e-6):
    s["t"] += 1
    weight = lr * math.sqrt(s["t"])
    s["alpha"] += weight
    s["m"].add_(g, alpha=weight)
    s["v"].addcmul_(g, g, value=weight)
    metric = s["v"].pow(1 / 3).add_(eps)
    solution, iterations = proximal_gradient(w, s["x0"], s["m"], metric, s["alpha"] * strength)
    w.lerp_(solution, momentum)
    s["iterations"].append(iterations)


def proxadamw(w, g, s, strength=STRENGTH, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    s["t"] += 1
    s["m"].lerp_(g, 1 - b1)
    s["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
    metric = s["v"].sqrt().div_(math.sqrt(1 - b2 ** s["t"])).add_(eps)
    solution, iterations = proximal_gradient(w, w, s["m"] * (lr / (1 - b1 ** s["t"])), metric, lr * strength)
    w.copy_(solution)
    s["iterations"].append(iterations)


METHODS = {
    "ramda": (["--set", "lr=0.01", "--set", "momentum=0.1", "--set", "eps=1e-6"], ramda),
    "proxgen": (["--set", "lr=0.001"], proxadamw),
    "rmda": (["--set", "lr=0.1", "--set", "momentum=0.1"], None),  # closed form: nothing to solve in a loop
}


def timed(step, count: int = MEASURED) -> float:
    """Returns the median milliseconds of a step after the warm-up, in which moments become typical."""
    return 1000 * statistics.median(timeit.repeat(step, number=1, repeat=WARM_UP + count)[WARM_UP:])


def draws(shape):
    return itertools.cycle([0.01 * torch.randn(shape) for _ in range(4)])


def official(method, shape) -> tuple[float, float]:
    """Returns milliseconds of a step and iterations of its inner loop, medians."""
    w, gradients = 0.02 * torch.randn(shape), draws(shape)
    state = {"m": torch.zeros(shape), "v": torch.zeros(shape), "x0": w.clone(), "t": 0, "alpha": 0.0, "iterations": []}
    return timed(lambda: method(w, next(gradients), state)), statistics.median(state["iterations"][WARM_UP:])


def adamw(shape, steps: int) -> float:
    """With one gradient, as `descent bench` has: others change no arithmetic and would cost AdamW memory traffic."""
    w = (0.02 * torch.randn(shape)).requires_grad_(True)
    w.grad = next(draws(shape))
    return timed(torch.optim.AdamW([w], lr=1e-3, fused=True).step, steps)


def plain_svd(matrix, threshold: float):
    """What a nuclear step is when written plainly; moments and averaging are not even counted."""
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    return (u * torch.relu(s - threshold)) @ v


def main():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of one measurement of descent, steps of AdamW")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of descent, of which the median counts")
    parser.set_defaults(name="structured")
    options = parser.parse_args()
    executable = common.find_descent(options) or parser.error("without descent there is no ratio to measure")
    torch.manual_seed(options.seed)
    how = (f"One tensor, float32, {options.threads} threads; descent: median of {options.repeats} × {options.steps} "
           f"steps after {options.steps}; peers: of {MEASURED} steps after {WARM_UP}, AdamW of {options.steps}.")
    data = {"options": vars(options) | {"descent": None}, "iterations": {}}

    def row(label, name, flags, penalty, strength, shape, peer, fused):
        mine, free = (ours(executable, name, [*flags, *more], "x".join(map(str, shape)), options)
                      for more in (["--penalty", penalty, "--strength", strength], []))
        return [label, mine, peer, fused, free, peer and peer / mine, mine / free, mine / fused]

    rows = []
    for shape in SHAPES:
        fused = adamw(shape, options.steps)
        for name, (flags, method) in METHODS.items():
            label = f"{name}, {'conv' if len(shape) == 4 else 'linear'} {' × '.join(map(str, shape))}"
            peer, data["iterations"][label] = official(method, shape) if method else (None, None)
            rows.append(row(label, name, flags, "group-lasso", STRENGTH, shape, peer, fused))
    note = (f"Group lasso over input channels, strength {STRENGTH:g}. Unregularised: the same optimizer of descent "
            "without it. Official PG: the step of RAMDA and ProxAdamW with the loop of the paper's experiments; its "
            f"iterations, row by row: {', '.join(map(common.number, data['iterations'].values()))}.")
    columns = COLUMNS.format("official PG").split("|")
    common.publish(options.name, "Steps with group lasso", columns, rows, [how, note], data)

    rows, scalar = [], [*METHODS["ramda"][0], "--set", "metric=scalar"]
    for shape, strength in NUCLEAR:
        label = f"ramda, {' × '.join(map(str, shape))}, strength {strength:g}"
        fused, matrices = adamw(shape, options.steps), draws(shape)
        peer = timed(lambda: plain_svd(next(matrices), strength))
        rows.append(row(label, "ramda", scalar, "nuclear", strength, shape, peer, fused))
    note = "One number for each tensor as the metric. Plain SVD: torch.linalg.svd, threshold and recomposition alone."
    columns = COLUMNS.format("plain SVD").split("|")
    common.publish(f"{options.name}-nuclear", "Steps with the nuclear norm", columns, rows, [how, note], data)


if __name__ == "__main__":
    main()
