"""Writes trajectories of the optimizers that solve their step together with a penalty:

    ../Resources/settings/{ramda,rmda,proxsgd,proxgen,proxssi}.json

    python regularised.py [output directory]

NumPy alone, from the papers' formulas: minimisers over groups by bisection on the norm, singular value thresholding by
numpy.linalg.svd. The function and the gradients are those of trajectories.py. No hyperparameter has its default in all
of an optimizer's configurations.
"""

import json
import sys
from pathlib import Path

import numpy as np

STEPS = 14
X = np.array([[np.sin(0.7 * (i + 1) * (j + 1)) + 0.1 * j for j in range(4)] for i in range(12)])
LABELS = np.array([0, 2, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1])
W0 = np.array([[0.05 * (((k + 1) * (j + 2)) % 7 - 3) for j in range(4)] for k in range(3)])


def gradients(w, b, count):
    """Of the mean cross-entropy with an L2 term, plus 0.2 sin of a count."""
    z = X @ w.T + b
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[np.arange(12), LABELS] -= 1
    gw, gb = p.T @ X / 12 + 0.05 * w, p.mean(0) + 0.05 * b
    bend = lambda g, start: g + 0.2 * np.sin(1.7 * (start + np.arange(g.size)).reshape(g.shape) + 3 * count)
    return bend(gw, 0), bend(gb, w.size)


def group_prox(z, d, tau):
    """Columns that minimise ½⟨v, Dv⟩ − ⟨z, v⟩ + τ‖v‖."""
    v = np.zeros_like(z)
    for j in range(z.shape[1]):
        zj, dj = z[:, j], d[:, j]
        if np.linalg.norm(zj) <= tau:
            continue
        low, high = 0.0, (np.linalg.norm(zj) - tau) / dj.min() * (1 + 1e-9) + 1e-300
        for _ in range(200):
            r = 0.5 * (low + high)
            low, high = (r, high) if (zj**2 / (dj * r + tau) ** 2).sum() > 1 else (low, r)
        v[:, j] = zj * high / (dj * high + tau)
    return v


class GroupLasso:
    def __init__(self, strength):
        self.name, self.settings, self.strength = "group_lasso", {"lambda": strength}, strength

    def tau(self, w, step):
        return step * self.strength * np.sqrt(w.shape[0])

    def minimise(self, z, d, step):
        return group_prox(z, d, self.tau(z, step))

    def value(self, w, step):
        return self.tau(w, step) * np.linalg.norm(w, axis=0).sum()

    def proximal_gradients(self, z, d, step, start, centre, max_iters, rtol):
        """The loop of the paper's experiments; the centre is where its objective begins to count."""
        tau = self.tau(z, step)
        v = start * (np.linalg.norm(z, axis=0) > tau)
        curvature = d.max(0, keepdims=True)
        value = lambda v: ((d * centre - z) * (v - centre)).sum() + 0.5 * (d * (v - centre) ** 2).sum() \
            + self.value(v, step)
        last = value(v)
        for iteration in range(max(2, max_iters)):
            y = v - (d * v - z) / curvature
            norm = np.linalg.norm(y, axis=0, keepdims=True)
            v = y * np.maximum(0, 1 - tau / curvature / np.maximum(norm, 1e-300))
            current = value(v)
            if iteration > 0 and (last - current) / (abs(current) + 1) < rtol:
                break
            last = current
        return v


class Nuclear:
    def __init__(self, strength):
        self.name, self.settings, self.strength = "nuclear", {"lambda": strength}, strength

    def minimise(self, z, d, step):
        assert np.ptp(d) == 0
        u, s, v = np.linalg.svd(z / d.flat[0], full_matrices=False)
        return (u * np.maximum(s - step * self.strength / d.flat[0], 0)) @ v


def solve(settings, penalty, z, d, step, start, centre):
    if settings.get("metric") == "scalar":
        mean = d.mean()
        z, d = z / d * mean, np.full_like(d, mean)
        return penalty.minimise(z, d, step) if penalty else z / d
    if penalty is None:
        return z / d
    if settings.get("solver") == "proximal_gradient":
        return penalty.proximal_gradients(z, d, step, start, centre, settings["max_iters"], settings["rtol"])
    return penalty.minimise(z, d, step)


def ramda(s, penalty, w, g, t, m):
    if t == 1:
        m.update(x0=w.copy(), v=0 * w, u=0 * w, alpha=0.0)
    weight = s["lr"] * np.sqrt(t)
    m["v"] = m["v"] + weight * g
    m["u"] = m["u"] + weight * g * g
    m["alpha"] += weight
    d = np.cbrt(m["u"]) + s["eps"]
    new = solve(s, penalty, d * m["x0"] - m["v"], d, m["alpha"], w, m["x0"])
    return (1 - s["momentum"]) * w + s["momentum"] * new


def rmda(s, penalty, w, g, t, m):
    if t == 1:
        m.update(x0=w.copy(), v=0 * w, alpha=0.0)
    weight = s["lr"] * np.sqrt(t)
    m["v"] = m["v"] + weight * g
    m["alpha"] += weight
    d = np.full_like(w, np.sqrt(t))
    new = solve({}, penalty, d * m["x0"] - m["v"], d, m["alpha"], w, w)
    return (1 - s["momentum"]) * w + s["momentum"] * new


def proxsgd(s, penalty, w, g, t, m):
    m["m"] = (1 - s["momentum"]) * m.get("m", 0 * w) + s["momentum"] * g
    return solve({}, penalty, w - s["lr"] * m["m"], np.ones_like(w), s["lr"], w, w)


def moments(s, g, w, m):
    m["m"] = s["betas"][0] * m.get("m", 0 * w) + (1 - s["betas"][0]) * g
    m["v"] = s["betas"][1] * m.get("v", 0 * w) + (1 - s["betas"][1]) * g * g


def proxgen(s, penalty, w, g, t, m):
    if not s["decoupled_weight_decay"]:
        g = g + s["weight_decay"] * w
    moments(s, g, w, m)
    m["max"] = np.maximum(m.get("max", 0 * w), m["v"])
    second = m["max"] if s["amsgrad"] else m["v"]
    d = np.sqrt(second) / np.sqrt(1 - s["betas"][1] ** t) + s["eps"]
    shrunk = w * (1 - s["lr"] * s["weight_decay"]) if s["decoupled_weight_decay"] else w
    z = d * shrunk - s["lr"] / (1 - s["betas"][0] ** t) * m["m"]
    return solve(s, penalty, z, d, s["lr"], w, shrunk)


def proxssi(s, penalty, w, g, t, m):
    moments(s, g, w, m)
    d = np.sqrt(m["v"]) + s["eps"]
    rate = s["lr"] * np.sqrt(1 - s["betas"][1] ** t) / (1 - s["betas"][0] ** t)
    stepped = (w - rate * m["m"] / d) * (1 - s["lr"] * s["weight_decay"])
    return solve({}, penalty, d * stepped, d, s["lr"], w, w)


SOLVERS = [
    {"solver": "exact", "metric": "scalar", "max_iters": 7, "rtol": 1e-4},
    {"solver": "proximal_gradient", "metric": "diagonal", "max_iters": 3, "rtol": 1e-12},
    {"solver": "proximal_gradient", "metric": "diagonal", "max_iters": 60, "rtol": 2e-5},
]
PLAIN = {"solver": "exact", "metric": "diagonal", "max_iters": 7, "rtol": 1e-4}
RAMDA = {"lr": 0.05, "momentum": 0.3, "eps": 1e-3}
GEN = {"lr": 0.03, "betas": [0.8, 0.95], "eps": 1e-3}


def configurations():
    ramdas = [(RAMDA | PLAIN, None), (RAMDA | PLAIN, GroupLasso(0.08)), (RAMDA | {"momentum": 1.0} | PLAIN, GroupLasso(0.1))]
    ramdas += [(RAMDA | solver, GroupLasso(0.08)) for solver in SOLVERS] + [(RAMDA | SOLVERS[0], Nuclear(0.2))]
    yield ramda, ramdas
    first = {"lr": 0.3, "momentum": 0.3}
    yield rmda, [(first, None), (first, GroupLasso(0.08)), (first | {"momentum": 1.0}, Nuclear(0.2))]
    yield proxsgd, [(first, None), (first, GroupLasso(0.08)), (first, Nuclear(0.1))]
    flags = [(decoupled, amsgrad) for decoupled in (True, False) for amsgrad in (True, False)]
    gens = []
    for decoupled, amsgrad in flags:
        own = GEN | {"weight_decay": 0.2, "decoupled_weight_decay": decoupled, "amsgrad": amsgrad}
        gens += [(own | PLAIN, GroupLasso(0.15)), (own | PLAIN, None)]
        gens += [(own | solver, GroupLasso(0.15)) for solver in SOLVERS]
    yield proxgen, gens
    ssi = GEN | {"weight_decay": 0.2}
    yield proxssi, [(ssi, None), (ssi, GroupLasso(0.08))]


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "../Resources/settings"
    for rule, configs in configurations():
        written = []
        for number, (settings, penalty) in enumerate(configs, 1):
            w, b, mw, mb, steps = W0.copy(), np.zeros(3), {}, {}, []
            for t in range(1, STEPS + 1):
                gw, gb = gradients(w, b, t)
                w = rule(settings, penalty, w, gw, t, mw)
                b = rule(settings, None, b, gb, t, mb)
                steps.append({"grad": {"W": gw.tolist(), "b": gb.tolist()},
                              "params_after": {"W": w.tolist(), "b": b.tolist()}})
            config = {"name": f"settings_{number}", "source": "regularised.py, NumPy", "settings": settings,
                      "trajectories": [{"problem": {"name": "softmax", "init": {"W": W0.tolist(), "b": [0.0] * 3}},
                                        "steps": steps}]}
            if penalty:
                config["penalty"] = {"name": penalty.name, "settings": penalty.settings, "parameters": ["W"]}
            zero = (np.abs(w).max(0) == 0).sum()
            print(rule.__name__, number, penalty and penalty.name, "zero columns", zero)
            written.append(config)
        path = folder / f"{rule.__name__}.json"
        path.write_text(json.dumps({"optimizer": rule.__name__, "dtype": "float64", "configs": written},
                                   separators=(",", ":")) + "\n")


main()
