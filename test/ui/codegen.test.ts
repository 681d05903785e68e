/** A recipe as Python for another library, and blocks that quantize the network of a script: by lenses, from lists. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, until, type Workbench } from './support';

describe('a recipe as code', () => {
  let workbench: Workbench;
  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('asks for the library and opens the code, with what differs said', async () => {
    await workbench.openFile('fashion_mobile.quant.json');
    const recipe = workbench.editor('fashion_mobile.quant.json');
    await recipe.lenses('Export as code…');
    await recipe.clickLens('Export as code…');
    const list = workbench.page.locator('.quick-input-list');
    await list.getByText('torchao').first().waitFor();
    await workbench.screenshot('export-code-libraries');
    await workbench.pick('onnxruntime');
    const code = workbench.page.locator('.monaco-editor', { hasText: 'quantize_static' });
    await until('the code is shown', async () => (await code.count()) > 0);
    const said = workbench.page.locator('.notification-toast', { hasText: 'Save beside the recipe' });
    await said.waitFor();
    assert.match(await said.innerText(), /onnxruntime/);
    await workbench.screenshot('export-code');
  });
});

/** Only a test set, no export: one block can be inserted, others say what they lack. */
const training = `import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


data = torch.load("test.pt")
test_loader = DataLoader(TensorDataset(data["x"], data["y"]), batch_size=32)
model = Net()
model.load_state_dict(torch.load("net.pt"))
`;

describe('a block that quantizes a network', () => {
  let workbench: Workbench;
  before(async () => {
    workbench = await openWorkbench({
      prepare: (folder) => writeFile(path.join(folder, 'network.py'), training),
    });
  });
  after(() => workbench.close());

  it('is chosen from the list of its lens, shown, and stands in the script when applied', async () => {
    await workbench.openFile('network.py');
    const script = workbench.editor('network.py');
    await script.reveal('class Net');
    await script.clickLens('Insert quantization…');
    const rows = workbench.quickRows();
    await rows.filter({ hasText: 'Insert static quantization (PT2E)' }).waitFor();
    const training = rows.filter({ hasText: 'Insert quantization-aware training' });
    assert.match(await training.innerText(), /needs a DataLoader with training data: only test_loader found/);
    const onnxruntime = rows.filter({ hasText: 'Insert quantize_static' });
    assert.match(await onnxruntime.innerText(), /needs torch\.onnx\.export/);
    await workbench.screenshot('insert-quantization-list');
    await workbench.pick('Insert static quantization (PT2E)');
    const preview = workbench.page.locator('.pane').filter({ hasText: 'Refactor Preview' });
    await preview.waitFor();
    await workbench.screenshot('insert-quantization-preview');
    await workbench.page.getByRole('button', { name: 'Apply' }).click();
    await script.reveal('prepare_pt2e(exported');
    const text = await script.text();
    assert.match(text, /convert_pt2e\(prepared\)/);
    assert.match(text, /data is better for calibration; accuracy on this data must not be reported/);
    await workbench.screenshot('insert-quantization-applied');
  });

  it('is not offered twice, and the keyboard reaches the list', async () => {
    await workbench.command('Quantlens: Insert Quantization…');
    const rows = workbench.quickRows();
    const done = rows.filter({ hasText: 'Insert static quantization (PT2E)' });
    await done.filter({ hasText: 'stands in the script already for model' }).waitFor();
    await workbench.screenshot('insert-quantization-done');
    await workbench.page.keyboard.press('Escape');
  });
});
