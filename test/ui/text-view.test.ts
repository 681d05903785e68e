/** A model as text: hover and lenses, then a layer planned for int4, undone, redone, applied and compared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, type TextEditor, until, type Workbench } from './support';

describe('text view', () => {
  let workbench: Workbench;
  let text: TextEditor;
  const recipeFile = () => path.join(workbench.folder, 'fashion_mobile.quant.json');

  before(async () => {
    workbench = await openWorkbench();
  });
  after(() => workbench.close());

  it('opens from the explorer, which starts the language server', async () => {
    await workbench.explorerRow('fashion_mobile.onnx').click({ button: 'right' });
    await workbench.menuItem('Open as Text').click();
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
    const { page } = workbench;
    const before = await readFile(recipeFile(), 'utf8');
    await text.click(' Conv');
    const rows = page.locator('.action-widget .monaco-list-row.action');
    await until('the actions are offered', async () => {
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+.');
      await rows.filter({ hasText: 'Quantize to int4' }).first().waitFor({ timeout: 3000 });
      return true;
    });
    await workbench.screenshot('text-view-actions');
    await until('the action has the focus', async () => {
      const focused = await page.locator('.action-widget .monaco-list-row.action.focused').innerText();
      if (focused.includes('Quantize to int4: stem')) return true;
      await page.keyboard.press('ArrowDown');
      return false;
    });
    await page.keyboard.press('Enter');
    const dirty = workbench.tab('fashion_mobile.quant.json');
    await until('the recipe was changed', async () => {
      return (await dirty.count()) > 0 || (await readFile(recipeFile(), 'utf8')) !== before;
    });
    await workbench.screenshot('text-view-recipe-changed');
  });
});
