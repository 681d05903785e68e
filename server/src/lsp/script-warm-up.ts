/**
 * The first script that is opened would pay for compiling the parser and everything that reads, judges and ties: a small
 * script of no file is analysed once while nobody waits, in steps between which questions are answered.
 */
import { analyzeScript } from '../rules/script/analyze';
import { dataPipelines } from '../script/data-pipeline';
import { moduleTrees } from '../script/module-tree';
import type { PythonParser } from '../script/parser';
import { tiesOf } from '../script/tie';
import { exportCalls } from './script-ties';

/** Goes through what a usual script goes through. */
export async function warmUp(load: () => Promise<PythonParser>): Promise<void> {
  const parser = await load();
  // The second time takes what the first has left, as after a keystroke.
  for (const text of [sample, sample.replace('epochs=3', 'epochs=4')]) {
    const script = analyzeScript(parser, 'sample.py', text);
    await turn();
    exportCalls(script);
    dataPipelines(script);
    await turn();
    for (const tree of moduleTrees({ file: script.file, program: script.program })) tiesOf([tree], layers);
    script.parsed.dispose();
    await turn();
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const layers = [{ name: 'stem.0', weight: 'stem.0.weight', shape: [16, 3, 3, 3], node: '/stem/stem.0/Conv' }];

const sample = `import argparse
import torch
import torch.nn as nn
import torch.ao.quantization as tq
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1) for _ in range(3)])
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = torch.relu(stage(x)) + x
        return self.head(x.mean((2, 3)))


def train(model, loader, epochs=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()


steps = transforms.Compose([transforms.Resize(256), transforms.ToTensor()])
loader = torch.utils.data.DataLoader(datasets.ImageFolder('data', steps), batch_size=32)
model = Net()
train(model, loader)
model.eval()
model.qconfig = tq.get_default_qconfig('x86')
prepared = tq.prepare(model)
for images, _ in loader:
    prepared(images)
converted = tq.convert(prepared)
torch.save(converted.state_dict(), 'net.pt')
torch.onnx.export(model, torch.randn(1, 3, 224, 224), 'net.onnx', opset_version=17)
`;
