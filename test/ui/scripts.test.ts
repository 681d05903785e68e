/** A training script: its layers with the figures of the model beside it, findings and their fixes. */
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, type TextEditor, until, type Workbench } from './support';

const observers = `import torch
from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver(), weight=None)
`;

/** Reads the pictures of the demo with a loader of torchvision. */
const evaluation = `import torch
from torchvision import datasets, transforms

val_tf = transforms.Compose([
    transforms.Grayscale(),
    transforms.Resize((28, 28)),
    transforms.ToTensor(),
    transforms.Normalize([0.286], [0.353]),
])
val_loader = torch.utils.data.DataLoader(datasets.ImageFolder("images", val_tf), batch_size=8)
# quantlens: model=fashion_mobile.onnx
`;

describe('scripts', () => {
  let workbench: Workbench;
  let script: TextEditor;

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        await writeFile(path.join(folder, 'observers.py'), observers);
        await writeFile(path.join(folder, 'evaluate.py'), evaluation);
        await copyFile(path.join(folder, 'fashion_mobile.onnx'), path.join(folder, 'spare.onnx'));
      },
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

  it('fills the calibration form with the data of a loader, and says what is only nearly the same', async () => {
    await workbench.openFile('evaluate.py');
    const text = workbench.editor('evaluate.py');
    const title =
      'Calibrate with this data: images · resize 28 · crop 28 · scale 1/255 · mean 0.286 · std 0.353';
    await text.reveal('val_loader =');
    await text.lenses(title);
    await workbench.screenshot('script-data-lens');
    await text.clickLens(title);
    const panel = await workbench.webview('#form');
    const origin = panel.locator('#origin');
    await origin.waitFor();
    assert.match(await origin.innerText(), /evaluate\.py[\s\S]*squashed to 28 × 28/);
    assert.match(await panel.locator('#source-path').innerText(), /images$/);
    const inSight = await panel.locator('#run').evaluate((run) => {
      const { top, bottom } = run.getBoundingClientRect();
      return top >= 0 && bottom <= window.innerHeight;
    });
    assert.ok(inSight, 'Run Calibration is in sight without scrolling');
    await workbench.screenshot('script-data-run');
    await origin.scrollIntoViewIfNeeded();
    await workbench.screenshot('script-data-origin');
    await panel.locator('#preprocessing summary').click();
    const field = (name: string) => panel.locator(`vscode-text-field#${name} input`).inputValue();
    assert.deepEqual(
      [
        await field('scale'),
        await field('mean'),
        await field('std'),
        await field('resize'),
        await field('crop'),
      ],
      ['1/255', '0.286', '0.353', '28', '28'],
    );
    await workbench.screenshot('script-data-form');
  });

  it('takes another model for a script, and writes that into it', async () => {
    await workbench.openFile('train.py');
    await script.reveal('class FashionMobile');
    await script.lenses('Other model…');
    await script.clickLens('Other model…');
    await workbench.quickRows().filter({ hasText: 'spare.onnx' }).first().waitFor();
    const rows = await workbench.quickRows().allInnerTexts();
    assert.ok(
      rows.some((row) => /fashion_mobile\.onnx[\s\S]*21 layers/.test(row)) &&
        rows.some((row) => /Browse…/.test(row)),
      rows.join(' | '),
    );
    await workbench.screenshot('script-other-model');
    await workbench.pick('spare.onnx');
    await script.lenses('spare.onnx');
    await script.reveal('# quantlens: model=spare.onnx');
    await workbench.screenshot('script-other-model-chosen');
  });

  it('previews the calibration reader of a loader, and writes it', async () => {
    await workbench.openFile('evaluate.py');
    const text = workbench.editor('evaluate.py');
    await text.applyCodeAction('DataLoader(', 'Generate calibration reader for onnxruntime');
    const preview = workbench.page.locator('.pane').filter({ hasText: 'Refactor Preview' });
    await preview.waitFor();
    await workbench.screenshot('script-reader-preview');
    await workbench.page.getByRole('button', { name: 'Apply' }).click();
    await until('the reader stands there', async () =>
      (await text.text()).includes('class CalibrationReader(CalibrationDataReader):'),
    );
    await workbench.screenshot('script-reader');
  });
});
