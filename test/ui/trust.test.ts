/** A folder that is not trusted: numbers that need no native inference, an explanation for the rest, and the way out. */
import assert from 'node:assert/strict';
import { openWorkbench, type Workbench } from './support';

describe('restricted mode', () => {
  let workbench: Workbench;

  before(async () => {
    workbench = await openWorkbench({ trusted: false });
  });
  after(() => workbench.close());

  it('shows the error of weights and says what is off', async () => {
    const page = await workbench.openModel('fashion_mobile.onnx');
    await page.locator('#layers .figure.good .number').first().waitFor();
    assert.match(await page.locator('.banner.warning').innerText(), /Restricted Mode: no native inference/);
    assert.match(await page.locator('#layers tbody tr[data-key="stem"]').innerText(), /47\.1 dB/);
    await workbench.screenshot('trust-model');
  });

  it('marks the buttons that are off, and says why when one is pressed all the same', async () => {
    const page = await workbench.webview('#toolbar');
    for (const name of ['calibrate', 'quantize-int8', 'quantize-int4', 'output-effect', 'compare']) {
      const button = page.locator(`#${name}`);
      assert.equal(await button.getAttribute('aria-disabled'), 'true', name);
      assert.equal(await button.getAttribute('title'), 'Restricted Mode: trust the workspace first');
    }
    assert.equal(await page.locator('#open-as-text').getAttribute('aria-disabled'), null);
    await page.locator('#quantize-int8').focus();
    await workbench.page.keyboard.press('Enter');
    const toast = workbench.toast('Native inference is off in Restricted Mode');
    await toast.waitFor();
    await workbench.screenshot('trust-buttons');
    await toast.locator('a[aria-label^="Clear Notification"]').click();
    await toast.waitFor({ state: 'hidden' });
  });

  it('refuses to quantize with an explanation and a button', async () => {
    await workbench.command('Quantlens: Quantize…');
    const toast = workbench.toast('Native inference is off in Restricted Mode');
    await toast.locator('.monaco-button').filter({ hasText: 'Manage Workspace Trust' }).waitFor();
    await workbench.screenshot('trust-refused');
  });

  it('cannot calibrate until the folder is trusted', async () => {
    await workbench.activity('Quantlens');
    const panel = await workbench.webview('#form');
    await panel.locator('#restricted').waitFor();
    assert.equal(await panel.locator('#run').getAttribute('disabled'), '');
    await workbench.screenshot('trust-panel');
    await panel.locator('#manage-trust').click();
    const trust = workbench.page
      .locator('.workspace-trust-editor .monaco-button')
      .filter({ hasText: /^Trust$/ });
    await trust.click();
    await workbench.page.locator('.workspace-trust-editor').getByText('You trust this folder').waitFor();
    await workbench.page.locator('.monaco-modal-editor-block a[aria-label^="Close"]').click();
    await workbench.page.locator('.workspace-trust-editor').waitFor({ state: 'hidden' });
    await panel.locator('#restricted').waitFor({ state: 'hidden' });
    await panel.locator('#run:not([disabled])').waitFor();
    await workbench.screenshot('trust-granted');
    await panel.locator('#run').click();
    await panel.locator('#result h2').filter({ hasText: 'Calibrated' }).waitFor();
    const page = await workbench.webview('#layers');
    assert.equal(await page.locator('.banner.warning').count(), 0);
    await workbench.screenshot('trust-calibrated');
  });
});
