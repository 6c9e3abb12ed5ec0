import json
import torch
from safetensors import safe_open


def load(path):
    """Returns a function from raw rows to outputs, from a file that descent shrink wrote."""
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["descent.network"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    program, prepare = header["program"], header["standardiser"]
    mean, scale = torch.tensor(prepare["mean"]), torch.tensor(prepare["scale"])

    def run(x):
        x = ((x[:, prepare["keptColumns"]] - mean) / scale).float()
        values = {0: x} | {i + 1: tensors[p[0]] for i, p in enumerate(program["parameters"])}
        length = lambda l: int(l[:-1]) * len(x) if isinstance(l, str) else l
        read = {"v": lambda v: values[v], "vs": lambda vs: [values[v] for v in vs], "i": length,
                "is": lambda ls: [length(l) for l in ls], "f": float, "b": bool, "s": str,
                "dtype": lambda name: getattr(torch, name), "device": lambda: x.device}
        for name, overload, arguments, results in program["steps"]:
            call = getattr(getattr(torch.ops.aten, name), overload or "default")
            given = [None if a is None else read[a[0]](*a[1:]) for a in arguments]
            places = call._schema.arguments
            options = {p.name: g for p, g in zip(places, given) if p.kwarg_only}
            found = call(*[g for p, g in zip(places, given) if not p.kwarg_only], **options)
            found = found if isinstance(found, tuple) else (found,)
            values.update({number: value for number, value in zip(results, found) if number is not None})
        return values[program["output"]]

    return run


if __name__ == "__main__":
    import sys

    import numpy

    print(load(sys.argv[1])(torch.from_numpy(numpy.load(sys.argv[2]))).argmax(1).tolist())
