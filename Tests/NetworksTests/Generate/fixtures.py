"""Writes the reference values that NetworksTests compares against:

    layers.json         forward and backward passes of single layers
    architectures.json  forward and backward passes of whole networks
    losses.json         loss values and their gradients

Run with PyTorch, torchvision and NumPy installed:

    OMP_NUM_THREADS=1 python fixtures.py [output directory]

Files go to ../Resources, next to this script's folder, or to a directory that is given.

Everything is computed in float64. No tensor is stored: each is filled from its
name by `uniform`, which the tests repeat, then mapped to offset + scale * v
(offset + scale * |v| where "abs" is true). Token inputs are
floor((v + 1) / 2 * vocabulary). The scalar that is differentiated is
sum(output * w), where w is the formula's tensor named "weight_of_output".

A summary holds a tensor's sum, its sum of squares and "samples": for outputs and
loss gradients the first 8 values then the last 4 (all of them, where there are
fewer, so that values repeat), for other tensors the first 4, or 2 in the VGG and
ResNet cases.
"""

import inspect
import json
import math
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


# Formula tensors

def uniform(name, shape):
    """Values in [-1, 1): SplitMix64 of the element index, seeded by FNV-1a-64 of the name."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    i = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
    z = i * np.uint64(0x9E3779B97F4A7C15) + np.uint64(h)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return torch.from_numpy(2 * u - 1).reshape(shape)


def make(spec, name):
    """The tensor an input specification describes."""
    v = uniform(name, spec["shape"])
    if spec["kind"] == "tokens":
        return torch.floor((v + 1) / 2 * spec["vocabulary"]).long()
    return spec["offset"] + spec["scale"] * v


def floats(*shape, offset=0.0, scale=1.0):
    return {"shape": list(shape), "kind": "float", "offset": offset, "scale": scale}


def tokens(vocabulary, *shape):
    return {"shape": list(shape), "kind": "tokens", "vocabulary": vocabulary}


def parameter_rule(module, name, shape):
    """(offset, scale) of a parameter."""
    if name.endswith(("class_token", "pos_embedding")):
        return 0.0, 0.02
    if len(shape) == 1:
        norm = isinstance(module, NORMS) and name.endswith("weight")
        return (1.0 if norm else 0.0), 0.1
    if isinstance(module, nn.Embedding):
        return 0.0, 1.0
    return 0.0, math.sqrt(3 / math.prod(shape[1:]))


BUFFER_RULES = {  # (offset, scale, abs)
    "running_mean": (0.0, 0.1, False),
    "running_var": (1.0, 0.5, True),
    "num_batches_tracked": (0.0, 0.0, False),
}


def fill(model):
    """Fills the model and returns the descriptions of its parameters and buffers."""
    parameters, buffers = [], []
    with torch.no_grad():
        for name, p in model.named_parameters():
            owner = model.get_submodule(name.rpartition(".")[0])
            offset, scale = parameter_rule(owner, name, p.shape)
            p.copy_(offset + scale * uniform(name, p.shape))
            parameters.append({"name": name, "shape": list(p.shape),
                               "offset": offset, "scale": scale})
        for name, b in model.named_buffers():
            offset, scale, absolute = BUFFER_RULES[name.rpartition(".")[2]]
            v = uniform(name, b.shape)
            b.copy_(offset + scale * (v.abs() if absolute else v))
            buffers.append({"name": name, "shape": list(b.shape),
                            "offset": offset, "scale": scale, "abs": absolute})
    return parameters, buffers


# Summaries

def summary(tensor, first, last=0):
    """Sum, sum of squares, and the first values followed by the last ones."""
    flat = tensor.detach().double().flatten()
    samples = flat[:first].tolist() + (flat[-last:].tolist() if last else [])
    return {"sum": flat.sum().item(), "squares": (flat * flat).sum().item(), "samples": samples}


def run(name, kind, model, config, spec, mode="eval", forward=None, samples=4):
    """One forward and backward pass of a model."""
    parameters, buffers = fill(model)
    model.train(mode == "train")
    x = make(spec, "input")
    if spec["kind"] == "float":
        x.requires_grad_()
    output = forward(model, x) if forward else model(x)
    loss = (output * uniform("weight_of_output", output.shape)).sum()
    loss.backward()
    case = {
        "name": name, "kind": kind, "config": config, "mode": mode, "input": spec,
        "parameters": parameters, "buffers": buffers,
        "output": {"shape": list(output.shape), **summary(output, 8, 4)},
        "loss": loss.item(),
        "gradients": [{"name": n, **summary(p.grad, samples)}
                      for n, p in model.named_parameters()],
    }
    if x.requires_grad:
        case["inputGradient"] = summary(x.grad, samples)
    if buffers and mode == "train":
        case["buffersAfter"] = [{"name": n, **summary(b, samples)}
                                for n, b in model.named_buffers()]
    return case


# Layers

RECURRENT = {"num_layers": 1, "bias": True, "batch_first": True, "dropout": 0.0,
             "bidirectional": False}


def constructor_arguments(cls, given):
    """The given arguments completed by the constructor's defaults."""
    if issubclass(cls, nn.RNNBase):
        return {**RECURRENT, **given}
    left_out = ("device", "dtype", "_weight", "_freeze")
    defaults = {n: p.default for n, p in inspect.signature(cls).parameters.items()
                if n not in left_out and p.default is not p.empty}
    return {**defaults, **given}


def causal_mask(length):
    return nn.Transformer.generate_square_subsequent_mask(length, dtype=torch.float64)


def attend(causal):
    def forward(model, x):
        mask = causal_mask(x.shape[1]) if causal else None
        return model(x, x, x, need_weights=False, attn_mask=mask, is_causal=causal)[0]
    return forward


def positional_encoding(length, width, base=10000.0):
    """The sine and cosine table of "Attention is all you need"."""
    angle = torch.arange(length).double()[:, None] / base ** (torch.arange(0, width, 2) / width)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).reshape(length, width)


def layers():
    cases = []

    def add(name, kind, spec, mode="eval", forward=None, extra=None, **arguments):
        cls = getattr(nn, kind)
        config = constructor_arguments(cls, arguments)
        model = cls(**config)
        cases.append(run(name, kind, model, {**config, **(extra or {})}, spec, mode, forward))

    add("linear", "Linear", floats(4, 5), in_features=5, out_features=3)
    add("linear_no_bias", "Linear", floats(4, 5), in_features=5, out_features=3, bias=False)
    add("linear_three_dimensions", "Linear", floats(2, 3, 5), in_features=5, out_features=4)
    add("conv1d", "Conv1d", floats(2, 3, 11), in_channels=3, out_channels=4, kernel_size=3,
        stride=2, padding=1, dilation=2)
    add("conv2d", "Conv2d", floats(2, 4, 7, 6), in_channels=4, out_channels=6, kernel_size=3,
        stride=2, padding=1, groups=2)
    add("conv2d_same", "Conv2d", floats(2, 3, 5, 6), in_channels=3, out_channels=4,
        kernel_size=3, padding="same")
    add("conv_transpose2d", "ConvTranspose2d", floats(2, 3, 4, 5), in_channels=3,
        out_channels=4, kernel_size=3, stride=2, padding=1, output_padding=1)
    for mode in ("train", "eval"):
        add(f"batch_norm1d_{mode}", "BatchNorm1d", floats(6, 4), mode, num_features=4)
        add(f"batch_norm2d_{mode}", "BatchNorm2d", floats(3, 4, 5, 2), mode, num_features=4)
    add("layer_norm", "LayerNorm", floats(3, 4, 6), normalized_shape=[6])
    add("layer_norm_two_dimensions", "LayerNorm", floats(3, 4, 6), normalized_shape=[4, 6])
    add("group_norm", "GroupNorm", floats(2, 6, 3, 4), num_groups=3, num_channels=6)
    add("embedding", "Embedding", tokens(7, 3, 5), num_embeddings=7, embedding_dim=4)
    add("max_pool2d", "MaxPool2d", floats(2, 3, 7, 6), kernel_size=3, stride=2, padding=1)
    add("avg_pool2d", "AvgPool2d", floats(2, 3, 7, 6), kernel_size=3, stride=2, padding=1)
    add("adaptive_avg_pool2d", "AdaptiveAvgPool2d", floats(2, 3, 7, 5), output_size=[3, 2])

    wide = floats(3, 7, scale=3.0)
    add("relu", "ReLU", wide)
    add("leaky_relu", "LeakyReLU", wide, negative_slope=0.1)
    add("gelu", "GELU", wide)
    add("gelu_tanh", "GELU", wide, approximate="tanh")
    add("silu", "SiLU", wide)
    add("tanh", "Tanh", wide)
    add("sigmoid", "Sigmoid", wide)
    add("softplus", "Softplus", wide)
    add("elu", "ELU", wide, alpha=1.5)

    first = lambda model, x: model(x)[0]
    sequence = floats(2, 5, 3)
    sizes = {"input_size": 3, "hidden_size": 4}
    add("lstm", "LSTM", sequence, forward=first, **sizes)
    add("lstm_two_layers", "LSTM", sequence, forward=first, num_layers=2, **sizes)
    add("lstm_bidirectional", "LSTM", sequence, forward=first, bidirectional=True, **sizes)
    add("gru_two_layers", "GRU", sequence, forward=first, num_layers=2, **sizes)

    for causal in (False, True):
        add("multihead_attention" + "_causal" * causal, "MultiheadAttention", floats(2, 5, 8),
            forward=attend(causal), extra={"is_causal": causal},
            embed_dim=8, num_heads=2, batch_first=True)
    add("transformer_encoder_layer", "TransformerEncoderLayer", floats(2, 5, 8), d_model=8,
        nhead=2, dim_feedforward=16, dropout=0.0, activation="gelu", batch_first=True,
        norm_first=True)

    config = {"length": 10, "d_model": 8, "base": 10000.0}
    table = positional_encoding(10, 8)
    cases.append({
        "name": "sinusoidal_positional_encoding", "kind": "SinusoidalPositionalEncoding",
        "config": config, "mode": "eval", "parameters": [], "buffers": [],
        "output": {"shape": list(table.shape), **summary(table, 8, 4),
                   "values": table.flatten().tolist()},
        "gradients": [],
    })
    return cases


# Architectures

class VGG(nn.Module):
    """torchvision's VGG19-BN features with one linear layer, for 32 x 32 images."""

    def __init__(self, num_classes):
        super().__init__()
        self.features = torchvision.models.vgg19_bn().features
        self.classifier = nn.Linear(512, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def resnet(build, num_classes, stem):
    model = build(num_classes=num_classes)
    if stem == "cifar":
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        model.maxpool = nn.Identity()
    return model


def vision_transformer(norm_eps, **config):
    return torchvision.models.VisionTransformer(
        norm_layer=partial(nn.LayerNorm, eps=norm_eps), **config)


class LanguageModel(nn.Module):
    """A decoder-only Transformer with learned positions."""

    def __init__(self, vocabulary, context, width, heads, layers, feedforward):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, feedforward, dropout=0.0, activation="gelu",
                                       batch_first=True, norm_first=True)
            for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        length = ids.shape[1]
        x = self.embedding(ids) + self.position(torch.arange(length))
        for layer in self.layers:
            x = layer(x, src_mask=causal_mask(length), is_causal=True)
        return self.head(self.norm(x))


def mlp(sizes, bias):
    modules = []
    for n, m in zip(sizes, sizes[1:]):
        modules += [nn.Linear(n, m, bias=bias), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def cnn(in_channels, channels, hidden, outputs, size):
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding="same"), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(channels, channels, 3, padding="same"), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(channels * (size // 4) ** 2, hidden), nn.ReLU(),
        nn.Linear(hidden, outputs))


def architectures():
    cases = []

    def add(name, kind, build, spec, config, mode="eval", samples=4):
        cases.append(run(name, kind, build(**config), config, spec, mode, samples=samples))

    def resnet_builder(build):
        return lambda **config: resnet(build, **config)

    resnet18 = resnet_builder(torchvision.models.resnet18)
    resnet50 = resnet_builder(torchvision.models.resnet50)
    imagenet = {"num_classes": 10, "stem": "imagenet"}
    cifar = {"num_classes": 10, "stem": "cifar"}
    for mode in ("eval", "train"):
        add(f"vgg19_bn_cifar_{mode}", "VGG19BN", VGG, floats(2, 3, 32, 32),
            {"num_classes": 10}, mode, samples=2)
        add(f"resnet18_imagenet_{mode}", "ResNet18", resnet18, floats(2, 3, 64, 64),
            imagenet, mode, samples=2)
        add(f"resnet18_cifar_{mode}", "ResNet18", resnet18, floats(2, 3, 32, 32),
            cifar, mode, samples=2)
    add("resnet50_imagenet_eval", "ResNet50", resnet50, floats(2, 3, 64, 64), imagenet, samples=2)
    add("vision_transformer", "VisionTransformer", vision_transformer, floats(2, 3, 32, 32),
        {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16,
         "mlp_dim": 32, "dropout": 0.0, "attention_dropout": 0.0, "norm_eps": 1e-6,
         "num_classes": 10})
    add("transformer_language_model", "TransformerLanguageModel", LanguageModel, tokens(17, 2, 8),
        {"vocabulary": 17, "context": 8, "width": 16, "heads": 2, "layers": 2, "feedforward": 64})
    add("mlp", "MLP", mlp, floats(4, 6), {"sizes": [6, 8, 8, 5, 1], "bias": False})
    add("cnn", "CNN", cnn, floats(2, 3, 8, 8),
        {"in_channels": 3, "channels": 32, "hidden": 16, "outputs": 1, "size": 8})
    return cases


# Losses

def losses():
    cases = []

    def add(name, kind, spec, target_spec, **config):
        x, target = make(spec, "input").requires_grad_(), make(target_spec, "target")
        value = getattr(F, kind)(x, target, **config)
        value.backward()
        cases.append({"name": name, "kind": kind, "config": config, "input": spec,
                      "target": target_spec, "value": value.item(),
                      "inputGradient": summary(x.grad, 8, 4)})

    logits, classes = floats(6, 5, scale=3.0), tokens(5, 6)
    add("cross_entropy", "cross_entropy", logits, classes, reduction="mean", label_smoothing=0.0)
    add("cross_entropy_smoothed", "cross_entropy", logits, classes, reduction="mean",
        label_smoothing=0.1)
    small, wide = floats(5, 4), floats(5, 4, scale=3.0)
    add("mse", "mse_loss", small, small, reduction="mean")
    add("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits",
        wide, floats(5, 4, offset=0.5, scale=0.5), reduction="mean")
    add("l1", "l1_loss", small, small, reduction="mean")
    add("huber", "huber_loss", wide, small, reduction="mean", delta=1.0)
    return cases


def write(path, cases):
    lines = [json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "Resources"
    folder.mkdir(parents=True, exist_ok=True)
    for build in (layers, architectures, losses):
        write(folder / f"{build.__name__}.json", build())


if __name__ == "__main__":
    main()
