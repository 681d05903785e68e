/** The calibration panel: a run seen advancing, cancelled, run to its end, quantized from, and its process killed. */
import assert from 'node:assert/strict';
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import type { FrameLocator, Locator } from 'playwright-core';
import { inferenceProcesses, openWorkbench, until, type Workbench, writeTokenModel } from './support';

describe('calibration panel', () => {
  let workbench: Workbench;
  let panel: FrameLocator;
  const manySamples = 'data/many_x.npy';

  const choose = async (dropdown: string, label: string) => {
    await panel.locator(`vscode-dropdown#${dropdown}`).click();
    await panel
      .locator(`vscode-dropdown#${dropdown} vscode-option`)
      .filter({ hasText: label })
      .first()
      .click();
  };
  const fill = (field: string, value: string) =>
    panel.locator(`vscode-text-field#${field} input`).fill(value);
  const openSettings = async () => {
    const settings = panel.locator('details#settings');
    if (!(await settings.evaluate((element) => (element as HTMLDetailsElement).open)))
      await settings.locator('> summary').click();
  };
  const run = async (samples: number) => {
    await openSettings();
    await fill('samples', String(samples));
    await panel.locator('#run').click();
    await panel.locator('#live').waitFor();
  };
  /** Samples calibrated so far, as the panel tells. */
  const samplesDone = async () => {
    const text = await panel.locator('#progress-text').innerText();
    return Number(/(\d+)\/\d+ samples/.exec(text)?.[1] ?? Number.NaN);
  };
  const advancesBeyond = (count: number) =>
    until(`more than ${count} samples`, async () => {
      const done = await samplesDone();
      return done > count && done;
    });
  const figures = (): Locator => panel.locator('#measured tbody tr[data-key] .number');
  const resultAfter = async (seconds: number) => {
    const result = panel.locator('#result');
    await result.locator('h2').waitFor({ timeout: seconds * 1000 });
    return (await result.innerText()).replaceAll('\u00a0', ' ');
  };

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        await repeatSamples(path.join(folder, 'data/train128_x.npy'), path.join(folder, manySamples), 48);
        await copyFile(path.join(folder, 'fashion_mobile.onnx'), path.join(folder, 'unopened.onnx'));
        await writeTokenModel(path.join(folder, 'tokens.onnx'));
      },
    });
  });
  after(() => workbench.close());

  it('starts from what the recipe says and takes other data', async () => {
    await workbench.activity('Quantlens');
    panel = await workbench.webview('#form');
    const source = panel.locator('#source-path');
    await source.waitFor();
    assert.match(await source.innerText(), /data\/train128_x\.npy$/);
    await choose('model', 'fashion_mobile.onnx');
    await choose('data', 'None');
    assert.match(await panel.locator('#no-data').innerText(), /^No data: .* Read the figures as rough\.$/);
    await choose('data', 'File…');
    await workbench.pickFile(path.join(workbench.folder, manySamples));
    await until('the file is taken', async () => (await source.innerText()).endsWith(manySamples));
    await panel.locator('#preprocessing summary').click();
    await fill('mean', '0.286');
    await fill('std', '0.353');
    await choose('estimator', 'mse');
    await choose('scheme', 'w8a8');
    await workbench.screenshot('calibration-form');
  });

  it('has the layers of its model beside it, though the model is not open, the figures first', async () => {
    const layers = workbench.page.locator('.pane').filter({ hasText: 'Layers' });
    const row = layers.locator('.monaco-list-row').filter({ hasText: 'blocks.0.depthwise' });
    await until('the figures of a layer', async () =>
      /^blocks\.0\.depthwise\s*\d+\.\d \/ \d+\.\d dB → int8/.test(
        (await row.innerText()).replaceAll('\u00a0', ' '),
      ),
    );
    await layers.getByText('Figures: SQNR, weight int8.channel / int4.channel').waitFor();
    assert.equal(await workbench.tab('fashion_mobile.onnx').count(), 0);
    await row.hover();
    const tooltip = workbench.page.locator('.monaco-hover').filter({ hasText: 'int4.group32 weight' });
    await tooltip.waitFor();
    assert.match(
      (await tooltip.innerText()).replaceAll('\u00a0', ' '),
      /dB int8, \d+\.\d dB int4, weight → int8\.channel/,
    );
    await workbench.screenshot('calibration-layers');
  });

  it('advances in samples and can be cancelled, which keeps the best so far', async () => {
    await run(48 * 128);
    const first = await advancesBeyond(0);
    // Ranges are searched for now and then only, so as not to slow the run; by then there are some.
    await advancesBeyond(first + 1500);
    await workbench.screenshot('calibration-running');
    const cancel = panel.locator('#cancel');
    const reaction = clickToPaint(cancel, 'Cancelling');
    const began = performance.now();
    await cancel.click();
    const shown = await reaction;
    const said = await resultAfter(20);
    const ended = performance.now() - began;
    console.log(
      `      click to "Cancelling" painted: ${shown.toFixed(1)} ms; to the result: ${ended.toFixed(0)} ms`,
    );
    assert.match(said, /Cancelled: best so far/);
    assert.ok(Number(/(\d+) samples/.exec(said)?.[1]) > 0, said);
    assert.match(said, /Quantize to w8a8…/);
    assert.match(said, /Worst so far: \S+ \d+\.\d dB|no layer was measured with them/);
    await workbench.screenshot('calibration-cancelled');
  });

  it('runs to the end with live figures of each layer, spoken of now and then only', async () => {
    const spoken = await mutations(panel.locator('.announcer'));
    const shown = await mutations(panel.locator('#progress-text'));
    await run(4 * 128);
    await until('figures appear while it runs', async () => {
      const count = await figures().count();
      return count > 0 && (await panel.locator('#live').isVisible());
    });
    await workbench.screenshot('calibration-live');
    const result = await resultAfter(60);
    assert.match(result, /Calibrated\s+512 samples in \d/);
    assert.match(result, /Output: \d+\.\d dB .*top-1 agreement \d+\.\d+ %/s);
    assert.equal(await panel.locator('#measured tbody tr[data-key]').count(), 21);
    const texts = await figures().allInnerTexts();
    assert.ok(
      texts.every((text) => /^\d+\.\d dB$/.test(text.trim())),
      texts.join(' '),
    );
    await workbench.screenshot('calibration-done');
    const [said, ticks] = [await spoken(), await shown()];
    console.log(`      ${ticks.length} ticks shown, spoken: ${said.join(' | ')}`);
    assert.equal(said[0], 'Measuring has started.');
    assert.ok(said.length <= 6 && ticks.length >= 2 * said.length, `${ticks.length} ticks, ${said}`);
    assert.equal(await panel.locator('#progress-text').getAttribute('role'), null);
  });

  it('quantizes with the ranges of the result', async () => {
    await panel.locator('#quantize').click();
    await workbench.toast('fashion_mobile.w8a8.onnx:').waitFor();
    await panel.locator('#quantized').waitFor();
    assert.match(await panel.locator('#quantized').innerText(), /281 kB → \d+ kB/);
    await workbench.screenshot('calibration-quantized');
    assert.ok((await stat(path.join(workbench.folder, 'fashion_mobile.w8a8.onnx'))).size < 200_000);
  });

  it('survives that its process is killed, and runs again', async () => {
    await run(40 * 128);
    await advancesBeyond(0);
    const pids = await inferenceProcesses();
    assert.ok(pids.length > 0, 'a process runs the model');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    const said = await resultAfter(20);
    assert.match(said, /Calibration failed/);
    await workbench.screenshot('calibration-killed');
    console.log(`      after kill -9: ${said.split('\n').filter(Boolean).join(' | ')}`);
    await run(128);
    await until('the next run is done', async () => /Calibrated\s+128 samples/.test(await resultAfter(30)));
  });

  it('takes a folder of pictures, decoded in the installed extension', async () => {
    await openSettings();
    await choose('data', 'Folder…');
    await workbench.pickFile(path.join(workbench.folder, 'images'));
    const source = panel.locator('#source-path');
    await until('the folder is taken', async () => {
      if ((await source.innerText()).endsWith('examples/images')) return true;
      // The dialog of the editor may have taken the folder it opened with: a user would choose again.
      await panel.locator('#change-data').click({ timeout: 2000 });
      await workbench.pickFile(path.join(workbench.folder, 'images'));
      return false;
    });
    await run(16);
    await until('the pictures are measured', async () =>
      /Calibrated\s+16 samples/.test(await resultAfter(30)),
    );
  });

  it('asks a model of tokens for its free dimensions, and for nothing of pictures', async () => {
    const page = await workbench.openModel('tokens.onnx');
    await page.locator('#headline-calibrate').click();
    panel = await workbench.webview('#form');
    const size = panel.locator('vscode-text-field#dimension-seq input');
    await size.waitFor();
    await openSettings();
    assert.equal(await panel.locator('#preprocessing').isVisible(), false);
    await size.fill('0');
    assert.match(await panel.locator('#dimensions .problem').innerText(), /\w/);
    await size.fill('9');
    await workbench.screenshot('calibration-tokens');
    await panel.locator('#run').click();
    assert.match(await resultAfter(40), /Calibrated[\s\S]*tokens\.onnx/);
    // The panel came in between the webviews: the page is looked for anew.
    const measured = await workbench.webview('#headlines .headline:has-text("whole model")');
    assert.match(await measured.locator('#facts').innerText(), /MACs\s+[\d.]+/);
  });

  it('takes a model from the explorer that is not open, with its layers', async () => {
    await workbench.showExplorer();
    await workbench.contextMenu(workbench.explorerRow('unopened.onnx'), 'Calibrate');
    panel = await workbench.webview('#form');
    const model = panel.locator('vscode-dropdown#model .selected-value');
    await until('the panel has the model', async () => /unopened\.onnx/.test(await model.innerText()));
    const layers = workbench.page.locator('.pane').filter({ hasText: 'Layers' });
    await layers.locator('.pane-header').filter({ hasText: 'unopened.onnx' }).waitFor();
    await layers.locator('.monaco-list-row').filter({ hasText: 'blocks.0.expand' }).waitFor();
    assert.equal(await workbench.tab('unopened.onnx').count(), 0);
    await openSettings();
    await panel.locator('#run').click();
    await until('it is calibrated', async () => /unopened\.onnx/.test(await resultAfter(40)));
    await workbench.screenshot('calibration-unopened');
  });
});

/** Follows the text of an element from now on; the answer asks for what it became, one after the other. */
async function mutations(element: Locator): Promise<() => Promise<string[]>> {
  await element.evaluate((observed) => {
    const texts: string[] = [];
    Reflect.set(observed, 'heard', texts);
    new MutationObserver(() => {
      if (observed.textContent) texts.push(observed.textContent);
    }).observe(observed, { childList: true, characterData: true, subtree: true });
  });
  return () => element.evaluate((observed) => Reflect.get(observed, 'heard') as string[]);
}

/** Milliseconds from the click event on a button to the first frame in which its page shows a text. */
function clickToPaint(button: Locator, text: string): Promise<number> {
  return button.evaluate(
    (element, wanted) =>
      new Promise<number>((resolve) => {
        element.addEventListener(
          'click',
          (event) => {
            const look = () => {
              if (!document.body.innerText.includes(wanted)) requestAnimationFrame(look);
              // After the frame that shows it.
              else
                requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - event.timeStamp)));
            };
            look();
          },
          { capture: true, once: true },
        );
      }),
    text,
  );
}

/** Writes a .npy of uint8 samples that repeats another one; version 1.0 of the format, header padded to 128 bytes. */
async function repeatSamples(from: string, to: string, times: number): Promise<void> {
  const file = await readFile(from);
  const start = 10 + file.readUInt16LE(8);
  const header = file.toString('latin1', 10, start);
  const longer = header.replace(/\((\d+),/, (_, count) => `(${Number(count) * times},`).trimEnd();
  const samples = file.subarray(start);
  await writeFile(
    to,
    Buffer.concat([
      file.subarray(0, 8),
      Buffer.from([118, 0]),
      Buffer.from(`${longer.padEnd(117)}\n`, 'latin1'),
      ...Array.from({ length: times }, () => samples),
    ]),
  );
}
