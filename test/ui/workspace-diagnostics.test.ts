/** Findings of scripts that are not open: only where the setting asks for them, then in the Problems view. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openWorkbench, until, type Workbench } from './support';

const observers = `import torch
from torch.ao.quantization import MinMaxObserver, QConfig

config = QConfig(activation=MinMaxObserver(), weight=None)
`;

describe('findings of the whole workspace', () => {
  let workbench: Workbench;
  const settings = async (on: boolean) => {
    const folder = path.join(workbench.folder, '.vscode');
    await mkdir(folder, { recursive: true });
    await writeFile(
      path.join(folder, 'settings.json'),
      JSON.stringify({ 'quantlens.script.workspaceDiagnostics': on }),
    );
  };
  const named = async () => (await workbench.problems()).filter((row) => /closed\.py/.test(row)).length > 0;

  before(async () => {
    workbench = await openWorkbench({
      prepare: async (folder) => {
        await mkdir(path.join(folder, 'lib'));
        await writeFile(path.join(folder, 'lib/closed.py'), observers);
        await writeFile(path.join(folder, 'open.py'), observers);
      },
    });
  });
  after(() => workbench.close());

  it('are not shown as long as nobody asked for them', async () => {
    await workbench.openText('open.py');
    await workbench.problems('open.py');
    assert.equal(await named(), false);
  });

  it('are shown once the setting is on', async () => {
    await settings(true);
    await until('the closed script is named', named, 40);
    const problems = await workbench.problems('closed.py');
    assert.ok(
      problems.some((row) => /MinMaxObserver/.test(row)),
      problems.join(' | '),
    );
    await workbench.screenshot('workspace-diagnostics');
  });

  it('open the script at its place', async () => {
    // Files stand in the order of their names: the first such finding is the closed script's.
    const findings = workbench.page.locator('.markers-panel .monaco-list-row');
    await findings.filter({ hasText: 'MinMaxObserver' }).first().dblclick();
    await workbench.tab('closed.py').waitFor();
    await workbench.screenshot('workspace-diagnostics-opened');
  });

  it('are gone when the setting is off, also those of a script that was opened and closed', async () => {
    await workbench.closeTab('closed.py');
    assert.equal(await named(), true);
    await settings(false);
    await until('the closed script is no longer named', async () => !(await named()), 40);
    await workbench.screenshot('workspace-diagnostics-off');
  });

  it('of a script that is closed are gone where nobody asked for those of closed scripts', async () => {
    await workbench.problems('open.py');
    await workbench.closeTab('open.py');
    const left = workbench.page.locator('.markers-panel .monaco-list-row');
    await until('no finding is left', async () => (await left.count()) === 0, 40);
  });
});
