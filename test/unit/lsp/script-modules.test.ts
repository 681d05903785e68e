/** Files that a script imports: read in steps they say what they say at once, and a search that is given up reads no more. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptModules } from '../../../server/src/lsp/script-modules';
import { modelsAround } from '../../../server/src/lsp/script-ties';
import { moduleTreeSteps, moduleTrees } from '../../../server/src/script/module-tree';
import { programOf, pythonParser } from '../../fixtures/python';

let folder = '';
const text = 'from package import Net\n\nnet = Net(3)\n';

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'imports-'));
  fs.mkdirSync(path.join(folder, 'package'));
  const method = (at: number) => `    def method${at}(self, x):\n        # ${at}\n        return x + ${at}\n`;
  const files = {
    '__init__.py': 'from .net import *\nfrom .unused import *\n',
    'unused.py': 'import torch.nn as nn\nclass Unused(nn.Module):\n    pass\n',
    'net.py': `import torch.nn as nn\nfrom .block import Block\nclass Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n        self.blocks = nn.Sequential(*[Block(4) for _ in range(n)])\n${Array.from({ length: 200 }, (_, at) => method(at)).join('')}`,
    'block.py':
      'import torch.nn as nn\nclass Block(nn.Module):\n    def __init__(self, w):\n        super().__init__()\n        self.fc = nn.Linear(w, w)\n',
  };
  for (const [name, content] of Object.entries(files))
    fs.writeFileSync(path.join(folder, 'package', name), content);
});

afterAll(() => fs.rmSync(folder, { recursive: true }));

async function modules() {
  const loaded = await pythonParser();
  return new ScriptModules({ parser: () => loaded, folders: () => [folder], openText: () => undefined });
}

/** Trees of the script when files are read between steps; undefined once `goOn` has said no. */
async function inSteps(files: ScriptModules, goOn: () => Promise<boolean>) {
  const source = { file: path.join(folder, 'train.py'), program: await programOf(text) };
  const resolve = files.current();
  const steps = moduleTreeSteps(source, resolve);
  for (;;) {
    const step = await files.withFiles(() => steps.next(), goOn);
    if (!step) return undefined;
    if (step.value.done) return moduleTrees(source, resolve);
  }
}

describe('files that a script imports', () => {
  it('make the same networks whether they are read in steps or at once', async () => {
    const files = await modules();
    const source = { file: path.join(folder, 'train.py'), program: await programOf(text) };
    let steps = 0;
    const found = await inSteps(files, async () => ++steps > 0);
    expect(found).toEqual(moduleTrees(source, (await modules()).current()));
    expect(found?.[0]?.layers.map((one) => one.path)).toEqual(['blocks.0.fc', 'blocks.1.fc', 'blocks.2.fc']);
    // A long class is read statement by statement.
    expect(steps).toBeGreaterThan(200);
  });

  it('are left where the search is given up, and found when it is made again', async () => {
    const files = await modules();
    expect(await inSteps(files, async () => false)).toBeUndefined();
    expect(await inSteps(files, async () => true)).toHaveLength(1);
  });

  it('stand in a long class where the text has them', async () => {
    const files = await modules();
    await inSteps(files, async () => true);
    const file = path.join(folder, 'package', 'net.py');
    const content = fs.readFileSync(file, 'utf8');
    const program = files.module(file)?.program;
    const spans = program?.functions.map(({ statement }) => content.slice(...statement.nameSpan));
    expect(spans?.slice(0, 3)).toEqual(['__init__', 'method0', 'method1']);
    expect(spans?.at(-1)).toBe('method199');
    expect(program?.module.comments.map((one) => content.slice(...one.span))).toContain('# 42');
  });
});

describe('models around a script', () => {
  it('have an index for weights in several files', () => {
    const saved = path.join(folder, 'saved');
    fs.mkdirSync(saved);
    const parts = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    for (const name of [...parts, 'model.safetensors.index.json', 'config.json'])
      fs.writeFileSync(path.join(saved, name), '{}');
    const found = modelsAround(path.join(folder, 'train.py'), 1_000_000, [folder]);
    expect(found.map((one) => path.relative(folder, one).replaceAll('\\', '/'))).toEqual([
      'saved/model.safetensors.index.json',
    ]);
  });
});
