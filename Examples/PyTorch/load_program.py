"""Runs a network that descent shrink wrote, in PyTorch, from its list of calls.

A model file is data: only the calls below run, with arguments of the kinds below, and none that would make more numbers
than fit. The list is that of Sources/Structure/PureOperators.swift; a test compares them.
"""

import json

import torch
from safetensors import safe_open

# T tensor, T* tensors, i length, i* lengths, f number, b flag, off false, zero 0, 0 null; alternatives by bars, and what
# follows the semicolon may be left out.
PURE = {
    "abs": "T", "adaptive_avg_pool2d": "T i*", "add.Scalar": "T f ; f", "add.Tensor": "T T ; f",
    "addmm": "T T T ; f f", "amax": "T i* ; b", "amin": "T i* ; b", "arange": "i ; dtype|0 0 device|0 off|0",
    "avg_pool2d": "T i* ; i* i* b b i|0", "batch_norm": "T T|0 T|0 T T off f f b", "cat": "T* ; i",
    "clamp": "T f|0 ; f|0", "clamp_min": "T f", "clone": "T", "contiguous": "T",
    "conv1d": "T T T|0 ; i* i* i* i", "conv1d.padding": "T T T|0 ; i* same/valid i* i",
    "conv2d": "T T T|0 ; i* i* i* i", "conv2d.padding": "T T T|0 ; i* same/valid i* i",
    "conv_transpose2d.input": "T T T|0 ; i* i* i* i i*", "cos": "T", "detach": "T", "div.Scalar": "T f",
    "div.Tensor": "T T", "dropout": "T f off", "elu": "T ; f f f", "embedding": "T T ; i off off", "eq.Scalar": "T f", "eq.Tensor": "T T",
    "erf": "T", "exp": "T", "expand": "T i* ; off", "full": "i* f ; dtype|0 0 device|0 off|0", "ge.Scalar": "T f",
    "ge.Tensor": "T T", "gelu": "T ; none/tanh", "group_norm": "T i ; T|0 T|0 f b",
    "gru.input": "T T T* b i f off b b", "gt.Scalar": "T f", "gt.Tensor": "T T", "index_select": "T i T",
    "layer_norm": "T i* ; T|0 T|0 f b", "le.Scalar": "T f", "le.Tensor": "T T", "leaky_relu": "T ; f",
    "linear": "T T ; T|0", "log": "T", "log1p": "T", "logsumexp": "T i* ; b", "lstm.input": "T T* T* b i f off b b",
    "lt.Scalar": "T f", "lt.Tensor": "T T", "max_pool2d": "T i* ; i* i* i* b", "maximum": "T T",
    "mean.dim": "T i*|0 ; b dtype|0", "minimum": "T T", "mm": "T T", "mul.Scalar": "T f", "mul.Tensor": "T T",
    "narrow": "T i i i", "neg": "T", "permute": "T i*", "pow.Tensor_Scalar": "T f", "reciprocal": "T", "relu": "T",
    "reshape": "T i*", "scaled_dot_product_attention": "T T T ; T|0 zero b f|0 off", "select.int": "T i i",
    "sigmoid": "T", "sign": "T", "silu": "T", "sin": "T", "softmax.int": "T i ; dtype|0", "softplus": "T ; f f",
    "sqrt": "T", "square": "T", "stack": "T* ; i", "sub.Scalar": "T f ; f", "sub.Tensor": "T T ; f", "sum": "T ; dtype|0",
    "sum.dim_IntList": "T i*|0 ; b dtype|0", "tanh": "T", "to.dtype": "T dtype ; off off", "transpose.int": "T i i",
    "unsqueeze": "T i", "where.self": "T T T", "zeros": "i* ; dtype|0 0 device|0 off|0",
}
ROW, RUN, BYTES = 2**27, 2**32, 2**33  # numbers of a result and of all results for each row; bytes kept at a time
DTYPES = {name: getattr(torch, name) for name in
          "uint8 int8 int16 int32 int64 float16 float32 float64 bool bfloat16".split()}
KINDS = {"v": "T", "vs": "T*", "i": "i", "is": "i*", "f": "f", "b": "b", "s": "s", "dtype": "dtype", "device": "device"}


def accepts(place, argument):
    """Returns whether an argument of a file may stand in a place of a listed call."""
    kind = "0" if argument is None else KINDS[argument[0]]
    for wanted in place.split("|"):
        if wanted == kind or (wanted == "off" and argument == ["b", False]):
            return True
        if wanted == "zero" and kind == "f" and argument[1] == 0:
            return True
        if kind == "s" and "/" in wanted and argument[1] in wanted.split("/"):
            return True
    return False


def check(index, name, arguments):
    """Refuses calls that are not listed, and arguments of other kinds."""
    if name not in PURE:
        raise ValueError(f"call {index}: {name} is not among the calls that a program may make")
    required, _, optional = PURE[name].partition(";")
    places = required.split() + optional.split()
    if not len(required.split()) <= len(arguments) <= len(places):
        raise ValueError(f"call {index}: {name} has {len(arguments)} arguments")
    if not all(accepts(p, a) for p, a in zip(places, arguments)):
        raise ValueError(f"call {index}: {name} has an argument that it cannot take")


def matched(name, given):
    """Refuses operands that do not go together, where the engine reads one by the lengths of another unchecked."""
    def need(holds):
        if not holds:
            raise ValueError(f"{name}: operands that do not go together")

    if name == "scaled_dot_product_attention":
        q, k, v = (t.shape for t in given[:3])
        need(len(q) == len(k) == len(v) == 4 and q[:2] == k[:2] and k[:3] == v[:3] and q[3] == k[3])
        need(len({t.dtype for t in given[:3]}) == 1)
    if name in ("lstm.input", "gru.input"):
        x, states, weights, bias, layers, _, _, both, first = given
        gates, states = (4, states) if name == "lstm.input" else (3, [states])
        directions, each = 1 + both, 4 if bias else 2
        need(x.dim() == 3 and 1 <= layers <= 1000 and len(weights) == layers * directions * each)
        need(len(states) == (2 if gates == 4 else 1) and weights[1].dim() == 2)
        hidden = weights[1].shape[1]
        for place, weight in enumerate(weights):
            inputs = x.shape[2] if place < each * directions else hidden * directions
            wanted = [(gates * hidden, inputs), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,)]
            need(tuple(weight.shape) == wanted[place % each])
        state = (layers * directions, x.shape[0 if first else 1], hidden)
        need(all(tuple(s.shape) == state for s in states))
        need(len({t.dtype for t in [x, *states, *weights]}) == 1)


def size(name, call, given, options):
    """Returns how many numbers a call would make, work space included, without making them."""
    shadow = lambda x: x.to("meta") if isinstance(x, torch.Tensor) else (
        [shadow(y) for y in x] if isinstance(x, list) else "meta" if isinstance(x, torch.device) else x)
    made = call(*map(shadow, given), **{key: shadow(value) for key, value in options.items()})
    count = sum(t.numel() for t in (made if isinstance(made, tuple) else (made,)))
    if name.startswith("conv"):  # some kernels lay the windows out first
        x, weight = given[:2]
        places = x.numel() if "transpose" in name else count
        count += places // max(1, weight.shape[0]) * weight[0].numel()
    return count


def kept(values):
    """Returns the bytes of memory that the values lie in: a part of a tensor keeps all of it."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in values.values()}.values())


def load(path):
    """Returns a function from raw rows to outputs, from a file that descent shrink wrote."""
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["descent"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    program, prepare = header["body"]["program"], header["preparation"]["standardiser"]
    mean, scale = torch.tensor(prepare["mean"]), torch.tensor(prepare["scale"])
    for index, (name, overload, arguments, _) in enumerate(program["steps"]):
        check(index, name + (overload and "." + overload), arguments)

    def run(x):
        x = ((x[:, prepare["keptColumns"]] - mean) / scale).float()
        values = {0: x} | {i + 1: tensors[p[0]] for i, p in enumerate(program["parameters"])}
        length = lambda l: int(l[:-1]) * len(x) if isinstance(l, str) else l
        read = {"v": lambda v: values[v], "vs": lambda vs: [values[v] for v in vs], "i": length,
                "is": lambda ls: [length(l) for l in ls], "f": float, "b": bool, "s": str,
                "dtype": DTYPES.__getitem__, "device": lambda: x.device}
        last = {}
        for index, (_, _, arguments, _) in enumerate(program["steps"]):
            for a in arguments:
                if a and a[0] in ("v", "vs"):
                    last.update((v, index) for v in (a[1] if a[0] == "vs" else [a[1]]))
        total = 0
        for index, (name, overload, arguments, results) in enumerate(program["steps"]):
            call = getattr(getattr(torch.ops.aten, name), overload or "default")
            given = [None if a is None else read[a[0]](*a[1:]) for a in arguments]
            places = call._schema.arguments
            options = {p.name: g for p, g in zip(places, given) if p.kwarg_only}
            given = [g for p, g in zip(places, given) if not p.kwarg_only]
            matched(name + (overload and "." + overload), given)
            if name == "scaled_dot_product_attention":  # only then the kernel goes block by block
                given[:3] = [t.contiguous() for t in given[:3]]
            made = size(name, call, given, options)
            total += made
            if made > ROW * len(x) or total > RUN * len(x) or kept(values) + 8 * made > BYTES:
                raise ValueError(f"call {index}: {name} would make {made} numbers, more than fit")
            found = call(*given, **options)
            found = found if isinstance(found, tuple) else (found,)
            values.update({number: value for number, value in zip(results, found) if number is not None})
            for value in [v for v in values if last.get(v, -1) <= index and v != program["output"]]:
                del values[value]
        return values[program["output"]]

    return run


if __name__ == "__main__":
    import sys

    import numpy

    print(load(sys.argv[1])(torch.from_numpy(numpy.load(sys.argv[2]))).argmax(1).tolist())
