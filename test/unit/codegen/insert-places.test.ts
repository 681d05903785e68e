/** Where blocks go in scripts of different build: objects, Lightning, functions of other files, exports by a function. */
import { describe, expect, it } from 'vitest';
import type { InsertionKind } from '../../../server/src/codegen/insert';
import { findings, network, offered, refused } from './insertions';

/** Text between the end of the script and that of the same with a block. */
function block(text: string, mark: string, kind: InsertionKind): string {
  const made = offered(text, mark).get(kind);
  expect(made, JSON.stringify(refused(text, mark))).toBeDefined();
  expect(findings(made ?? '')).toEqual(findings(text));
  return made ?? '';
}

const loaderText = 'DataLoader(TensorDataset(torch.load("x.pt"), torch.load("y.pt")), batch_size=8)';

const trainer = `${network}
class Trainer:
    def __init__(self, epochs):
        self.val_loader = ${loaderText}
        self.train_loader = ${loaderText}
        self.net = Net()
        self.epochs = epochs

    def train(self):
        for x, y in self.train_loader:
            self.net(x)


if __name__ == "__main__":
    trainer = Trainer(3)
    trainer.train()
`;

const lightning = `import lightning as L
${network.replace('class Net(nn.Module)', 'class Net(L.LightningModule)')}
class Data(L.LightningDataModule):
    def setup(self, stage=None):
        self.all = TensorDataset(torch.load("x.pt"), torch.load("y.pt"))

    def train_dataloader(self):
        return DataLoader(self.all, batch_size=8)

    def val_dataloader(self):
        return DataLoader(self.all, batch_size=8)


if __name__ == "__main__":
    data = Data()
    model = Net()
    L.Trainer().fit(model, data)
    model.to_onnx("net.onnx", torch.zeros(1, 1, 8, 8), input_names=["x"])
`;

const functions = `${network}
def get_loaders(size=8):
    train = ${loaderText}
    val = ${loaderText}
    return train, val


def build(width):
    net = Net()
    return net


def export(net, path="net.onnx"):
    torch.onnx.export(net, torch.zeros(1, 1, 8, 8), path, input_names=["x"])


if __name__ == "__main__":
    model = build(3)
    model.load_state_dict(torch.load("net.pt"))
    export(model)
`;

describe('a network that an object keeps', () => {
  it.each(['class Net', 'self.net = Net()'])('is quantized where the object is used, from %s', (mark) => {
    const text = block(trainer, mark, 'static');
    expect(text.slice(text.indexOf('trainer.train()'))).toContain('copy.deepcopy(trainer.net).cpu().eval()');
    expect(text).toContain('next(iter(trainer.val_loader))');
    expect(block(trainer, mark, 'training')).toContain('for inputs, targets, *_ in trainer.train_loader:');
    expect(block(trainer, mark, 'torchao')).toContain('name in ["hidden"]');
    expect(refused(trainer, mark).onnxruntime).toBe('no-export ');
  });
});

describe('Lightning', () => {
  it('hands out its loaders, and writes the file with to_onnx', () => {
    expect(block(lightning, 'class Net', 'static')).toContain('val_loader = data.val_dataloader()');
    expect(block(lightning, 'class Net', 'training')).toContain('train_loader = data.train_dataloader()');
    const text = block(lightning, 'model.to_onnx', 'onnxruntime');
    expect(text).toContain('CalibrationReader(val_loader)');
    expect(text.indexOf('class CalibrationReader')).toBeLessThan(text.indexOf('if __name__'));
    // What was fitted is set up.
    expect(text).not.toContain('data.setup');
    expect(
      block(lightning.replace('    L.Trainer().fit(model, data)\n', ''), 'class Net', 'static'),
    ).toContain('data.setup("fit")');
  });
});

describe('functions that make network and loaders', () => {
  it.each(['class Net', 'model = build(3)', 'net = Net()'])(
    'meet where the network is used, from %s',
    (mark) => {
      const text = block(functions, mark, 'static');
      if (mark !== 'net = Net()') {
        expect(text.slice(text.indexOf('export(model)'))).toContain('_, val = get_loaders()');
        expect(text).toContain('copy.deepcopy(model)');
      }
      expect(block(functions, mark, 'onnxruntime')).toContain('"net.int8.onnx"');
    },
  );

  it('are called as the script calls them, where that can be said', () => {
    const called = `${functions}    _, held = get_loaders(size=4)\n`;
    expect(block(called.replace('_, held =', 'x ='), 'class Net', 'static')).toContain(
      '_, val = get_loaders(size=4)',
    );
    const needs = functions.replace('size=8', 'size');
    expect(refused(needs, 'class Net').static).toBe('no-loader ');
  });
});

it.each([
  ['{"train": DataLoader(a), "val": DataLoader(b)}'],
  ['{part: DataLoader(a) for part in ["train", "val"]}'],
])('loaders lie in dictionaries: %s', (value) => {
  const text = `${network}
a = b = TensorDataset(torch.load("x.pt"), torch.load("y.pt"))
loaders = ${value}
model = Net()
model.load_state_dict(torch.load("net.pt"))
`;
  expect(block(text, 'class Net', 'static')).toContain('next(iter(loaders["val"]))');
  expect(block(text, 'class Net', 'training')).toContain('in loaders["train"]:');
});

it('what stays float is said where only Linear is quantized', () => {
  const text = `${network}\nmodel = Net()\n`;
  expect(block(text, 'class Net', 'torchao')).toContain('# Note: 1 Conv2d stay float');
});

it('the end of the program stays behind', () => {
  const text = `import sys\n${network}
if __name__ == "__main__":
    model = Net()
    loader = ${loaderText}
    sys.exit(0)
`;
  const made = block(text, 'class Net', 'static');
  expect(made.indexOf('convert_pt2e(prepared)')).toBeLessThan(made.indexOf('sys.exit(0)'));
});
