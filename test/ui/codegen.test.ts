/** A recipe as Python for another library: by its lens, chosen from a list, in a document beside it. */
import assert from 'node:assert/strict';
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
