/** Networks that the scripts of the cases quantize. */
export const eager = `
import torch
import torch.nn as nn
from torch.ao.quantization import (
    QConfig, QuantStub, DeQuantStub, MinMaxObserver, PerChannelMinMaxObserver,
    convert, fuse_modules, fuse_modules_qat, get_default_qconfig, prepare, prepare_qat,
)
`;
export const net = `${eager}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.dequant = DeQuantStub()
    def forward(self, x):
        return self.dequant(self.relu(self.bn(self.conv(self.quant(x)))))
`;
/** A residual block, its forward given. */
export const block = (forward: string) => `${eager}
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.a = nn.Conv2d(3, 3, 1)
        self.b = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()
        self.add = nn.quantized.FloatFunctional()
    def forward(self, x):
        x = self.quant(x)
${forward}
model = Block().eval()
model.qconfig = get_default_qconfig('x86')
prepare(model, inplace=True)
run(model)
convert(model, inplace=True)
`;
export const loader = (transform: string, shuffle: string) => `${eager}
from torch.utils.data import DataLoader
from torchvision import transforms, datasets
def main(model):
    transform = transforms.Compose([${transform}, transforms.ToTensor()])
    data = datasets.CIFAR10('d', transform=transform)
    loader = DataLoader(data, batch_size=8, shuffle=${shuffle})
    model.eval()
    prepare(model, inplace=True)
    for images, _ in loader:
        MODEL
    convert(model, inplace=True)
`;
