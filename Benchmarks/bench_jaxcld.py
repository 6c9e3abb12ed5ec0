"""Fashion-MNIST, ten classes: jaxcld (the maintained successor of the CRONOS code, in JAX) against descent.

Both get the same standardised float32 rows. jaxcld runs its published settings once to compile everything, with one
ADMM iteration, and then again in full: the second run is timed, the first one's cost is shown apart and not counted.
Its time covers patterns, sketch, ADMM and weights; data loading and test predictions are outside for both.

Workarounds for jaxcld 0.2.4:
- installed without its dependencies; only `jaxcld.models.cvx_relu_mlp` and `jaxcld.optimizers.admm` are imported;
- labels must be int32 class numbers, the key a jax PRNG key;
- `admm` always computes in float32 and unrolls the PCG loop, so compiling takes longer than one iteration;
- the model has no bias and no scaling of its own.
"""

import common  # noqa: I001  (first: fixes the threads)

import time

import numpy as np

import fashion
from common import best_accuracy, fit, fraction, percent, time_to_accuracy


def run_jaxcld(data: dict, options, iterations: int) -> dict:
    """Runs jaxcld once; returns its seconds, the seconds of them spent on compiling, and the test accuracy."""
    import jax
    import jax.numpy as jnp
    from jaxcld.models.cvx_relu_mlp import CVX_ReLU_MLP
    from jaxcld.optimizers.admm import admm

    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"].astype(np.int32))
    settings = {"rank": options.rank, "beta": options.penalty, "gamma_ratio": 1.0, "admm_iters": iterations,
                "pcg_iters": options.pcg, "check_opt": False}
    before = sum(COMPILING)
    start = time.perf_counter()
    model = CVX_ReLU_MLP(x, y, fashion.CLASSES, options.patterns, options.penalty, options.rho,
                         jax.random.PRNGKey(options.seed))
    model.init_model()
    admm(model, settings)
    jax.block_until_ready((model.theta1, model.theta2))
    seconds, compiling = time.perf_counter() - start, sum(COMPILING) - before
    scores = np.asarray(model.stacked_predict(jnp.asarray(data["xt"]), model.theta1, model.theta2))
    convex = np.asarray(model.batch_matvec_F(model.v)).T
    targets = np.eye(fashion.CLASSES, dtype=np.float32)[data["y"]]
    norms = float(jnp.linalg.norm(model.v, axis=2).sum())
    return {"seconds": seconds - compiling, "compiling": compiling,
            "testAccuracy": float((scores.argmax(1) == data["yt"]).mean()),
            "objectiveAtV": 0.5 * float(((convex - targets) ** 2).sum()) + options.penalty * norms}


COMPILING: list[float] = []


def measure_jaxcld(data: dict, options) -> dict:
    """Compiles with one iteration, then times the full run."""
    import jax

    def note(event, seconds, **_):
        if event.startswith("/jax/core/compile/"):
            COMPILING.append(seconds)

    jax.monitoring.register_event_duration_secs_listener(note)
    warmup = run_jaxcld(data, options, iterations=1)
    result = run_jaxcld(data, options, iterations=options.admm)
    return result | {"warmupSeconds": warmup["seconds"], "compileSeconds": warmup["compiling"] + result["compiling"]}


def measure_descent(executable, data: dict, options) -> list[dict]:
    """Times descent on the same program (patterns, penalty, no bias) and with the patterns of a network of the same width."""
    common_flags = ["--test", data["testFile"], "--no-standardize"]
    same = ["--formulation", "relu", "--loss", "squared", "--patterns", options.patterns,
            "--penalty", options.penalty, "--no-bias"]
    # The penalty that descent takes on large data; below 25,000 rows its default is a search, which takes longer.
    own = ["--neurons", 2 * options.patterns, "--penalty", 0.001 * options.rows]
    results = []
    for label, flags in (("descent, same program", same), ("descent, network's patterns", own)):
        runs = [fit(executable, data["trainFile"], *flags, *common_flags, options=options)
                for _ in range(options.repeats)]
        runs.sort(key=lambda r: r.get("seconds") or float("inf"))
        results.append({"label": label, **runs[len(runs) // 2],
                        "allSeconds": [r.get("seconds") for r in runs]})
    return results


def prepare(options) -> dict:
    """Loads and scales the rows once, for both."""
    x, y = fashion.load("train", rows=options.rows)
    xt, yt = fashion.load("test")
    x, xt = fashion.standardise(x, xt, per_feature=options.scaling == "feature")
    return {"x": x, "y": y, "xt": xt, "yt": yt,
            "trainFile": fashion.write_npz("jaxcld-train", x, labels=y),
            "testFile": fashion.write_npz("jaxcld-test", xt, labels=yt)}


def options_from_command_line():
    parser = common.argument_parser(__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6000, help="training rows (the first ones)")
    parser.add_argument("--patterns", type=int, default=32,
                        help="activation patterns (two units for each and every class)")
    parser.add_argument("--admm", type=int, default=6, help="jaxcld's ADMM iterations")
    parser.add_argument("--pcg", type=int, default=32, help="jaxcld's PCG iterations in each")
    parser.add_argument("--rank", type=int, default=20, help="rank of jaxcld's sketch")
    parser.add_argument("--rho", type=float, default=0.1, help="jaxcld's ADMM penalty parameter")
    parser.add_argument("--penalty", type=float, default=1e-3, help="strength of the group norm, for both")
    parser.add_argument("--scaling", choices=("global", "feature"), default="global", help="how rows are standardised")
    parser.add_argument("--repeats", type=int, default=3, help="descent runs; the median counts")
    return parser.parse_args()


def main():
    options = options_from_command_line()
    executable = common.find_descent(options)
    data = prepare(options)
    peer = measure_jaxcld(data, options)
    target = peer["testAccuracy"]
    rows = [["jaxcld 0.2.4", percent(target), peer["seconds"], peer["seconds"], peer["compileSeconds"], "1",
             percent(target)]]
    ours = measure_descent(executable, data, options) if executable else []
    for result in ours:
        reached = time_to_accuracy(result, target)
        ratio = peer["seconds"] / reached if reached else None
        rows.append([result["label"], percent(result.get("testAccuracy")), reached, result.get("seconds"), 0.0,
                     common.number(ratio, 3), percent(best_accuracy(result))])
    walls = ", ".join(common.number(r["wallSeconds"], 3) for r in ours)
    columns = ["", "final test accuracy", f"s to {percent(target)}", "s in all", "s compiling (not counted)",
               "times faster", "best test accuracy"]
    notes = [f"{options.rows} training rows, 10,000 test rows, {options.patterns} patterns, "
             f"penalty {options.penalty:g}; jaxcld: {options.admm} ADMM × {options.pcg} PCG iterations, "
             f"rank {options.rank}, rho {options.rho:g}.",
             f"descent's seconds are the median of {options.repeats} runs by its own clock; "
             f"whole processes, starting and reading files included: {walls or '–'} s."]
    common.publish(options.name or "jaxcld", "Fashion-MNIST, ten classes, against jaxcld", columns, rows, notes,
                   {"jaxcld": peer, "descent": ours, "target": fraction(target),
                    "options": vars(options) | {"descent": None}})


if __name__ == "__main__":
    main()
