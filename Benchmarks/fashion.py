"""Fashion-MNIST as arrays, and as the `.npz` files that `descent` reads."""

import gzip
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from common import DATA

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
CLASSES = 10


def folder() -> Path:
    """Returns the folder with the four files.

    Looked for: FASHION_MNIST, DESCENT_DATA, where the Debian package puts it, data/; else it is fetched.
    """
    places = [os.environ.get("FASHION_MNIST"), os.environ.get("DESCENT_DATA"),
              "/usr/share/datasets/fashion-mnist", DATA / "fashion-mnist"]
    for place in filter(None, places):
        for candidate in (Path(place), Path(place) / "fashion-mnist"):
            if (candidate / FILES["train"][0]).exists():
                return candidate
    return unpack_debian("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist", DATA / "fashion-mnist")


def unpack_debian(package: str, inside: str, target: Path) -> Path:
    """Downloads a Debian package (no root needed), copies one folder of it to `target` and returns that."""
    try:
        download(package, inside, target)
    except (OSError, subprocess.CalledProcessError) as problem:
        message = f"{package} cannot be had here: copy its folder {inside} to {target.name} in data/"
        raise SystemExit(message) from problem
    return target


def download(package: str, inside: str, target: Path) -> None:
    """Does the work of `unpack_debian`."""
    with tempfile.TemporaryDirectory() as work:
        fetch = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(fetch, cwd=work, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(work).glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), f"{work}/x"], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", f"{work}/x/{inside}", str(target)], check=True)


def read_idx(path: Path) -> np.ndarray:
    """Returns the array in a gzipped IDX file of bytes."""
    raw = gzip.decompress(path.read_bytes())
    rank = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i: 8 + 4 * i], "big") for i in range(rank)]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(part: str, classes: list[int] | None = None, rows: int | None = None):
    """Returns (features in [0, 1] as float32, labels as int64); `rows` keeps the first, the file's order is mixed."""
    images, labels = (read_idx(folder() / name) for name in FILES[part])
    x = images.reshape(len(images), -1).astype(np.float32) / 255
    y = labels.astype(np.int64)
    if classes:
        keep = np.isin(y, classes)
        x, y = x[keep], y[keep]
    return (x[:rows], y[:rows]) if rows else (x, y)


def standardise(train: np.ndarray, *others: np.ndarray, per_feature: bool):
    """Scales by the training rows' mean and deviation: one for all pixels (as the reference does), or one each."""
    axis = 0 if per_feature else None
    mean, deviation = train.mean(axis=axis, dtype=np.float64), train.std(axis=axis, dtype=np.float64)
    deviation = np.where(deviation > 1e-8, deviation, 1.0)
    return tuple(((a - mean) / deviation).astype(np.float32) for a in (train, *others))


def write_npy(name: str, features: np.ndarray, labels: np.ndarray) -> Path:
    """Writes data/NAME.npy and data/NAME-labels.npy; returns the first."""
    DATA.mkdir(exist_ok=True)
    path = DATA / f"{name}.npy"
    np.save(path, features)
    np.save(DATA / f"{name}-labels.npy", labels)
    return path


def remove_npy(path: Path):
    """Removes the files that write_npy made."""
    path.unlink()
    path.with_name(f"{path.stem}-labels.npy").unlink()


def write_npz(name: str, features: np.ndarray, **members: np.ndarray) -> Path:
    """Writes data/NAME.npz with `features` and either `labels` or `targets`."""
    DATA.mkdir(exist_ok=True)
    path = DATA / f"{name}.npz"
    np.savez(path, features=features, **members)
    return path
