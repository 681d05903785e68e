/** Scripts with blocks inserted: what is offered where, and what rules say of the result. */
import { expect } from 'vitest';
import type { CodePlan } from '../../../server/src/codegen/code-plan';
import { type InsertionKind, type Offer, offersAt } from '../../../server/src/codegen/insert';
import { analyzeScript } from '../../../server/src/rules/script/analyze';
import { dataPipelines } from '../../../server/src/script/data-pipeline';
import { pythonParser } from '../../fixtures/python';

const parser = await pythonParser();

export function offersFor(text: string, mark: string, plan?: CodePlan): readonly Offer[] {
  const offset = text.indexOf(mark);
  expect(offset).toBeGreaterThanOrEqual(0);
  const script = analyzeScript(parser, 'script.py', text);
  const { program, parsed } = script;
  const found = offersAt(
    {
      text,
      module: parsed.module,
      program,
      trees: script.trees(),
      pipelines: dataPipelines({ program, file: 'script.py', text }),
      plan,
    },
    offset,
  );
  parsed.dispose();
  return found;
}

/** The script with each block that can be inserted. */
export function offered(text: string, mark: string, plan?: CodePlan): ReadonlyMap<InsertionKind, string> {
  const made = offersFor(text, mark, plan).flatMap((offer) => {
    if (!('edits' in offer)) return [];
    const result = [...offer.edits]
      .reverse()
      .reduce((so, { start, end, text: inserted }) => so.slice(0, start) + inserted + so.slice(end), text);
    return [[offer.kind, result] as const];
  });
  return new Map(made);
}

/** What each of the others lacks. */
export function refused(text: string, mark: string): Partial<Record<InsertionKind, string>> {
  return Object.fromEntries(
    offersFor(text, mark).flatMap((offer) =>
      'lack' in offer ? [[offer.kind, `${offer.lack} ${offer.name}`]] : [],
    ),
  );
}

export function findings(text: string): readonly string[] {
  const script = analyzeScript(parser, 'script.py', text);
  expect(script.parsed.module.complete).toBe(true);
  const codes = script.findings.map(({ rule }) => rule.code);
  script.parsed.dispose();
  return codes;
}

export const network = `import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.hidden = nn.Linear(8, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x)).mean((2, 3))
        return self.fc(torch.relu(self.hidden(x)))

`;

export const atModule = `${network}
data = torch.load("train.pt")
train_loader = DataLoader(TensorDataset(data["x"], data["y"]), batch_size=32)
test_loader = DataLoader(TensorDataset(data["x"], data["y"]), batch_size=32)
model = Net()
model.load_state_dict(torch.load("net.pt"))
criterion = nn.CrossEntropyLoss()
torch.onnx.export(model, torch.zeros(1, 1, 8, 8), "net.onnx", input_names=["x"])
`;

export const inFunction = `${network}
def main(loader, epochs):
    model = Net()
    model.load_state_dict(torch.load("net.pt"))
    for epoch in range(epochs):
        for batch in loader:
            print(model(batch[0]))
    return model


if __name__ == "__main__":
    main(None, 3)
`;

/** What stands behind the export call. */
export function added(made: ReadonlyMap<InsertionKind, string>, kind: InsertionKind): string {
  const text = made.get(kind) ?? '';
  return text.slice(text.lastIndexOf('input_names=["x"])') + 'input_names=["x"])'.length).trim();
}

/** Loaders that a function hands out, one of them with pictures changed at random. */
export const handedOut = `${network}
from torchvision import datasets, transforms


def get_loaders(folder):
    changed = transforms.Compose([transforms.RandomResizedCrop(32), transforms.ToTensor()])
    plain = transforms.Compose([transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor()])
    one = DataLoader(datasets.ImageFolder(folder + "/train", changed), batch_size=8)
    other = DataLoader(datasets.ImageFolder(folder + "/val", plain), batch_size=8)
    return one, other


def main():
    train_loader, val_loader = get_loaders("data")
    model = Net()
    torch.onnx.export(model, torch.zeros(1, 3, 32, 32), "net.onnx", input_names=["x"])


main()
`;
