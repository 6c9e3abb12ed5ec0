"""Real tables, from scikit-learn and from Debian's r-cran-mlbench, as arrays and as CSV files with a `label` column."""

import csv
from pathlib import Path

import numpy as np
from sklearn import datasets as bundled
from sklearn.model_selection import train_test_split

from common import DATA
from fashion import unpack_debian

# name: (source, object in the source, label column or None, what it is, columns to drop)
CATALOGUE = {
    "iris": ("sklearn", "load_iris", None, "classes", []),
    "wine": ("sklearn", "load_wine", None, "classes", []),
    "breast_cancer": ("sklearn", "load_breast_cancer", None, "classes", []),
    "diabetes": ("sklearn", "load_diabetes", None, "number", []),
    "sonar": ("mlbench", "Sonar", "Class", "classes", []),
    "glass": ("mlbench", "Glass", "Type", "classes", []),
    "ionosphere": ("mlbench", "Ionosphere", "Class", "classes", []),
    "servo": ("mlbench", "Servo", "Class", "number", []),
    "boston_housing": ("mlbench", "BostonHousing", "medv", "number", []),
    "ozone": ("mlbench", "Ozone", "V4", "number", []),
    "pima_diabetes": ("mlbench", "PimaIndiansDiabetes", "diabetes", "classes", []),
    "vehicle": ("mlbench", "Vehicle", "Class", "classes", []),
    "vowel": ("mlbench", "Vowel", "Class", "classes", ["V1"]),  # V1 names the speaker
    "digits": ("sklearn", "load_digits", None, "classes", []),
    "dna": ("mlbench", "DNA", "Class", "classes", []),
    "satellite": ("mlbench", "Satellite", "classes", "classes", []),
    "letter": ("mlbench", "LetterRecognition", "lettr", "classes", []),
}
LARGE = ("dna", "satellite", "letter")


def mlbench_folder() -> Path:
    """Returns the folder with mlbench's .rda files: the installed package's, or a copy unpacked into data/."""
    inside = "usr/lib/R/site-library/mlbench/data"
    if (Path("/") / inside).is_dir():
        return Path("/") / inside
    target = DATA / "mlbench"
    if not target.is_dir():
        unpack_debian("r-cran-mlbench", inside, target)
    return target


def from_mlbench(name: str, label: str, drop: list[str]):
    """Returns (features, labels): rows with gaps left out, numbers kept, other categories one-hot."""
    import pandas
    import pyreadr

    frame = pyreadr.read_r(str(mlbench_folder() / f"{name}.rda"))[name].drop(columns=drop).dropna()
    labels = frame.pop(label)
    columns = []
    for _, column in frame.items():
        # A factor of numbers (0/1 flags, days, months) is a number; a factor of words becomes one column per word.
        numbers = pandas.to_numeric(column.astype(str) if column.dtype == "category" else column, errors="coerce")
        if numbers.isna().any():
            columns += [(column == level).to_numpy(float) for level in sorted(column.unique())]
        else:
            columns.append(numbers.to_numpy(float))
    features = np.column_stack(columns)
    return features[:, features.std(axis=0) > 0], labels.to_numpy()


def load(name: str):
    """Returns (features, labels, is it classification); classes are words, lest a program takes them for numbers."""
    source, object_name, label, kind, drop = CATALOGUE[name]
    if source == "sklearn":
        features, labels = getattr(bundled, object_name)(return_X_y=True)
    else:
        features, labels = from_mlbench(object_name, label, drop)
    classes = kind == "classes"
    labels = np.array([f"class {v}" for v in labels]) if classes else np.asarray(labels, float)
    return np.asarray(features, float), labels, classes


def split(name: str, seed: int):
    """Returns (x, y, x test, y test, is it classification) of one seeded 75/25 split, stratified by class."""
    x, y, classes = load(name)
    x, xt, y, yt = train_test_split(x, y, test_size=0.25, random_state=seed, stratify=y if classes else None)
    return x, y, xt, yt, classes


def write_csv(path: Path, x: np.ndarray, y: np.ndarray) -> Path:
    """Writes one table with a header; the label is the last column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"x{i + 1}" for i in range(x.shape[1])] + ["label"])
        for row, label in zip(x.tolist(), y.tolist()):
            writer.writerow([f"{v:.17g}" for v in row] + [label])
    return path
