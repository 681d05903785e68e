/** A training script: its layers with the figures of the model beside it, findings and their fixes. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, type TextEditor, until, type Workbench } from './support';

const observers = `import torch
from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver(), weight=None)
`;

describe('scripts', () => {
  let workbench: Workbench;
  let script: TextEditor;

  before(async () => {
    workbench = await openWorkbench({
      prepare: (folder) => writeFile(path.join(folder, 'observers.py'), observers),
    });
  });
  after(() => workbench.close());

  it('has a lens on its network, of the model that fits', async () => {
    await workbench.openFile('train.py');
    script = workbench.editor('train.py');
    await script.reveal('class FashionMobile');
    const lenses = await script.lenses('worst weight classifier: int8 42.6 dB');
    for (const title of ['Calibrate', 'Quantize to int8', 'Quantize to int4'])
      assert.ok(lenses.includes(title), `${title} is among ${lenses.join(' | ')}`);
  });

  it('hovers a layer with its table, and hints at the format that is still good', async () => {
    await script.reveal('self.stem = nn.Conv2d');
    const said = await script.hover('self.stem = nn', (shown) => shown.includes('47.1 dB'));
    assert.match(said, /stem · Conv · 16×1×3×3/);
    assert.match(said, /Weights of fashion_mobile\.onnx/);
    await until('the hint is shown', async () => (await script.text()).includes('int4.channel 21.9 dB'));
    await workbench.screenshot('script-hover');
  });

  it('plans the layer of a line in the recipe', async () => {
    await script.applyCodeAction('self.stem = nn', 'Quantize to int4: stem');
    const recipe = workbench.editor('fashion_mobile.quant.json');
    await until('the recipe says so', async () =>
      /"match": "stem",? *"weights": "int4"/.test(await recipe.text()),
    );
  });

  it('marks a mistake and repairs it', async () => {
    await workbench.openFile('observers.py');
    const text = workbench.editor('observers.py');
    await workbench.problems('MinMaxObserver()');
    await workbench.screenshot('script-findings');
    await text.applyCodeAction('MinMaxObserver()', 'Pass the class');
    await until('the class stands there', async () =>
      (await text.text()).includes('activation=MinMaxObserver,'),
    );
    await workbench.screenshot('script-fixed');
  });
});
