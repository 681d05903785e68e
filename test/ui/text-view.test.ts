/** A model as text: hover and lenses, then a layer planned for int4, undone, redone, applied and compared. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, type TextEditor, until, type Workbench } from './support';

describe('text view', () => {
  let workbench: Workbench;
  let text: TextEditor;
  let recipe: TextEditor;

  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('opens from the explorer, which starts the language server', async () => {
    await workbench.contextMenu(workbench.explorerRow('fashion_mobile.onnx'), 'Open as Text');
    text = workbench.editor('fashion_mobile.onnx.onnxtxt');
    await until('the text is shown', async () => (await text.text()).includes('ir_version: 8'));
  });

  it('has lenses on the graph and on layers', async () => {
    await text.reveal('main_graph');
    const ofGraph = await text.lenses('21 layers');
    for (const title of ['Calibrate', 'Quantize to int8', 'Quantize to int4'])
      assert.ok(ofGraph.includes(title), `${title} is among ${ofGraph.join(' | ')}`);
    await text.reveal('/stem/Conv_output_0');
    const ofLayers = await text.lenses('stem · int8 47.1 dB');
    assert.ok(ofLayers.some((title) => title.includes('int4 21.9 dB')));
  });

  it('hovers a layer with its table', async () => {
    const said = await text.hover(' Conv', (shown) => shown.includes('dB'));
    assert.match(said, /stem · Conv · 16×1×3×3/);
    assert.match(said, /int8\.channel\s+weight\s+47\.1 dB\s+✓ good/);
    assert.match(said, /int4\.tensor\s+weight\s+17\.5 dB/);
    await workbench.screenshot('text-view-hover');
  });

  it('plans a layer for int4 by the keyboard; undo and redo work', async () => {
    const keys = workbench.page.keyboard;
    await text.click(' Conv');
    await keys.press('Control+.');
    await workbench.quickRows().filter({ hasText: 'Quantize to int4: stem' }).waitFor();
    await workbench.screenshot('text-view-actions');
    await keys.type('int4');
    await keys.press('Enter');
    recipe = workbench.editor('fashion_mobile.quant.json');
    const planned = /"match": "stem",? *"weights": "int4", "activations": "float"/;
    const says = (what: string, pattern: RegExp) =>
      until(`the recipe says ${what}`, async () => pattern.test(await recipe.text()));
    await says('int4', planned);
    await workbench.screenshot('text-view-recipe-changed');
    await keys.press('Control+Z');
    await says('float', /"match": "stem", "keep": "float"/);
    await keys.press('Control+Y');
    await says('int4', planned);
  });

  it('offers the same to the mouse', async () => {
    await workbench.tab('fashion_mobile.onnx.onnxtxt').click();
    const layer = text.locator
      .locator('.view-line')
      .getByText('/blocks/blocks.0/expand/Conv_output_0')
      .first();
    await workbench.contextMenu(layer, 'Quantize the Layer at the Cursor');
    await workbench.pick('Keep in float: blocks.0.expand');
    const kept = async () => (await recipe.text()).includes('"match": "blocks.0.expand", "keep": "float"');
    await until('the recipe keeps the layer', kept);
    await workbench.screenshot('text-view-layer-kept');
    await until('the change is undone', async () => {
      await recipe.focus();
      await workbench.page.keyboard.press('Control+Z');
      return !(await kept());
    });
  });

  it('applies the recipe by its lens and tells what it made', async () => {
    await recipe.clickLens('Apply → fashion_mobile.int8.onnx');
    const toast = workbench.toast('fashion_mobile.int8.onnx:');
    await toast.waitFor();
    const said = await toast.innerText();
    assert.match(said, /281 kB → \d+ kB/);
    assert.match(said, /\d\d\.\d dB/);
    assert.match(said, /\d\d(\.\d+)? %/);
    assert.match(said, /on \d+ samples/);
    await workbench.screenshot('text-view-applied');
    const { size } = await stat(path.join(workbench.folder, 'fashion_mobile.int8.onnx'));
    assert.ok(size > 60_000 && size < 140_000, `${size} bytes`);
  });

  it('compares the float and the quantized graph', async () => {
    await workbench.clickToast('fashion_mobile.int8.onnx:', 'Compare as Text');
    await workbench.tab('fashion_mobile.onnx ↔ fashion_mobile.int8.onnx').waitFor();
    const changed = workbench.page.locator('.monaco-diff-editor .modified .view-line');
    await until('the quantized graph is shown beside', async () => {
      const shown = await changed.allInnerTexts();
      return shown.some((line) => /int8\[32,16,1,1\].*weight_quantized/.test(line));
    });
    await workbench.screenshot('text-view-compared');
  });
});
