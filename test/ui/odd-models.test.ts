/** Models that cannot simply be shown: one of 1.6 GB, and one that is cut off. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, type Workbench, writeLargeModel } from './support';

describe('odd models', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        await writeLargeModel(path.join(folder, 'large.onnx'), 24);
        const whole = await readFile(path.join(folder, 'fashion_mobile.onnx'));
        await writeFile(path.join(folder, 'cut.onnx'), whole.subarray(0, 30_000));
      },
    });
  });
  after(() => workbench.close());

  it('a large model is shown from its header and measured on request only', async () => {
    const began = performance.now();
    const page = await workbench.openModel('large.onnx');
    await page.locator('#measure').waitFor();
    console.log(`      1.6 GB shown after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    assert.match(await page.locator('#facts').innerText(), /1\.6 GB/);
    assert.match(
      await page.locator('.banner').innerText(),
      /1\.6 GB.*above the size that is analysed on opening/s,
    );
    assert.equal(await page.locator('#layers tbody tr[data-key]').count(), 24);
    assert.match(
      await page.locator('#layers tbody tr[data-key]').first().innerText(),
      /^layer0\s.*4096×4096/s,
    );
    assert.equal(await page.locator('#layers .bar').count(), 0);
    await workbench.screenshot('odd-large');
  });

  it('a cut model says so in one line', async () => {
    const page = await workbench.openModel('cut.onnx');
    const said = await page.locator('.banner.error').innerText();
    assert.match(said, /cut\.onnx/);
    assert.ok(!said.includes('\n    at '), said);
    console.log(`      ${said.replace(/\s+/g, ' ')}`);
    await workbench.screenshot('odd-cut');
  });
});
