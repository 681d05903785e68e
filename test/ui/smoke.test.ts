/** The packaged extension installs, its native libraries load from where it was installed, the demo opens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import process from 'node:process';
import { promisify } from 'node:util';
import { installedExtension, openWorkbench } from './support';

describe('installed extension', () => {
  it('loads its native libraries with no other node_modules above it', async () => {
    // As the bundles do: require, not import, which reads other files of the packages.
    const script = `
      const sharp = require('sharp');
      const ort = require('onnxruntime-node');
      const red = { width: 2, height: 2, channels: 3, background: 'red' };
      sharp({ create: red }).png().toBuffer().then((png) => {
        console.log(JSON.stringify({ png: png.length > 0, ort: ort.listSupportedBackends() }));
      });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], {
      cwd: await installedExtension(),
      env: { PATH: process.env.PATH },
    });
    const { png, ort } = JSON.parse(stdout);
    assert.equal(png, true);
    assert.ok(ort.some((backend: { name: string }) => backend.name === 'cpu'));
  });

  it('meets the user with the files of the demo', async () => {
    const workbench = await openWorkbench();
    const files = (await readdir(workbench.folder)).filter((name) => !name.startsWith('.'));
    for (const file of files) await workbench.explorerRow(file).waitFor();
    await workbench.screenshot('smoke-workbench');
    await workbench.close();
  });
});
