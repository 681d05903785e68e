/** Scripts of several files, lines behind which layers are made elsewhere, and comments that name a model. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CodeLens, Diagnostic, InlayHint, Location } from 'vscode-languageserver-types';
import { covered, type Opened, TestClient } from './support/client';
import { faultyNet } from './support/models';
import { at, hoverOn } from './support/places';
import { residualLayers, residualNet, residualScript } from './support/scripts';

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start();
});
afterEach(() => client.stop());

const hoverAt = (opened: Opened, piece: string) => hoverOn(client, opened, piece);

async function script(text: string, name = 'script.py'): Promise<Opened> {
  return client.open(client.write(name, text), text, 'python');
}

describe('scripts of several files', () => {
  const [network = '', main = ''] = residualScript.split(/(?=def main)/);
  const training = `import torch\nfrom models.net import small\n\n\n${main}`;

  async function opened() {
    fs.mkdirSync(client.file('models'));
    client.write('models/__init__.py', '');
    client.write('small.onnx', residualNet());
    const net = await script(network, 'models/net.py');
    return { net, train: await script(training, 'train.py') };
  }

  const titles = async (file: Opened) =>
    (await client.at<CodeLens[]>('codeLens', file)).map(({ command, range }) => [
      covered(file.text, range),
      command?.title ?? '',
    ]);

  it('are tied where the network is made and where it is defined', async () => {
    const { net, train } = await opened();
    const lenses = await titles(train);
    expect(lenses.some(([place, title]) => place === 'small()' && title?.startsWith('small.onnx'))).toBe(
      true,
    );
    expect(lenses.some(([place, title]) => place === 'export' && title?.startsWith('small.onnx'))).toBe(true);
    expect(await hoverAt(train, 'sma‸ll()')).toContain(`${residualLayers.length} layers`);
    expect(await hoverAt(net, 'nn.Lin‸ear')).toContain('Weights of small.onnx');
  });

  it('show on the lines of a module what is made of it where it is imported', async () => {
    client.write('small.onnx', residualNet());
    const [, unit = ''] = /(class Unit[\s\S]*?)(?=class Residual)/.exec(residualScript) ?? [];
    const conv =
      'def conv(inputs, outputs):\n    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)\n';
    const called = unit.replace(
      /nn\.Conv2d\((\w+), outputs, kernel_size=3, padding=1, bias=False\)/g,
      'conv($1, outputs)',
    );
    client.write('train.py', residualScript.replace(unit, 'from blocks import Unit\n\n\n'));
    const blocks = await script(`import torch\nfrom torch import nn\n\n\n${conv}\n\n${called}`, 'blocks.py');
    const skip = await client.until(() => hoverAt(blocks, 'nn.Conv‸2d(inputs, outputs, 1'), Boolean);
    expect(skip).toContain('stage2.0.skip.0');
    // In the function that makes the layers nothing is assigned: the call leads to them.
    const places = await client.at<Location[]>('definition', blocks, at(blocks, 'return nn.Con‸v2d'));
    expect(places).toHaveLength(8);
    // Two lines call the function that makes the layer: each shows its own.
    expect(await hoverAt(blocks, 'self.fi‸rst = conv')).toContain('stage1.0.first');
    expect(await hoverAt(blocks, 'self.fi‸rst = conv')).not.toContain('second');
  });

  it('follow the file that is imported, saved or not', async () => {
    const { net, train } = await opened();
    expect(await hoverAt(train, 'sma‸ll()')).toContain(`${residualLayers.length} layers`);
    await client.change(
      net.uri,
      network.replace('self.stage2 = self.stage(depth, 8, 16)', 'self.stage2 = None'),
    );
    await client.touched(2, net.uri);
    const shown = () => hoverAt(train, 'sma‸ll()');
    const tied = await client.until(shown, (text) => !text.includes(`${residualLayers.length} layers`));
    expect(tied).not.toContain(`${residualLayers.length} layers`);
  });

  it('are jumped between, whether they are open or not, with the recipe among the references', async () => {
    const { train } = await opened();
    const recipe = await client.open(
      client.uri('small.quant.json'),
      '{\n  "model": "small.onnx",\n  "layers": [{ "match": "stage2.0.skip.0", "keep": "float" }]\n}\n',
      'jsonc',
    );
    await hoverAt(train, 'sma‸ll()');
    const rule = at(recipe, '"match": "stage2‸');
    const texts = (places: readonly Location[]) =>
      places
        .filter(({ uri }) => uri === client.uri('models/net.py'))
        .map(({ range }) => covered(network, range));
    const definition = await client.at<Location[]>('definition', recipe, rule);
    expect(texts(definition)).toEqual([
      'nn.Conv2d(inputs, outputs, 1, bias=False)',
      expect.stringMatching(/^Unit\(/),
    ]);
    const context = { includeDeclaration: true };
    const references = await client.at<Location[]>('references', recipe, rule, { context });
    expect(references.some(({ uri }) => uri === recipe.uri)).toBe(true);
    const view = await client.openView('small.onnx');
    const node = at(view, 'stage2.0.ski‸p.0.weight');
    const fromView = await client.at<Location[]>('references', view, node, { context });
    expect(fromView.some(({ uri }) => uri === recipe.uri)).toBe(true);
  });
});

describe('lines behind which layers are made elsewhere', () => {
  it('have hints, and keep them while one types', async () => {
    client.write('small.onnx', residualNet());
    const opened = await script(residualScript);
    await hoverAt(opened, 'nn.Lin‸ear');
    await client.measured('small.onnx');
    const lines = async (text: string) => {
      const hints = await client.at<InlayHint[]>('inlayHint', { ...opened, text }, [0, text.length]);
      return hints.map(({ position }) => text.split('\n')[position.line]?.trim());
    };
    const made = 'units.append(Unit(inputs if index == 0 else outputs, outputs))';
    expect(
      await client.until(
        () => lines(opened.text),
        (all) => all.length > 0,
      ),
    ).toContain(made);
    const text = `import os\n${opened.text}`;
    await client.change(opened.uri, text);
    expect(await lines(text)).toContain(made);
  });
});

describe('a comment that names a model', () => {
  const told = async (opened: Opened) => {
    await client.at('codeLens', opened);
    const { items } = await client.at<{ readonly items: readonly Diagnostic[] }>('diagnostic', opened);
    return items
      .filter(({ code }) => String(code).startsWith('script-model'))
      .map(({ message, range, code }) => `${code} ${covered(opened.text, range)}: ${message}`);
  };
  const comment = '# quantlens: model=smal.onnx';

  it('that is not there is told, with what is', async () => {
    client.write('small.onnx', residualNet());
    client.write('other.onnx', faultyNet());
    expect(await told(await script(`${comment}\n${residualScript}`))).toEqual([
      `script-model-missing ${comment}: "smal.onnx": no such model. There is "small.onnx", "other.onnx".`,
    ]);
  });

  it('that holds a part of the layers says how many; one that holds all says nothing', async () => {
    client.write('small.onnx', residualNet());
    const named = residualScript.replace('return Residual(2)', 'return Residual(3)');
    const directive = '# quantlens: model=small.onnx';
    expect(await told(await script(`${directive}\n${residualScript}`, 'whole.py'))).toEqual([]);
    expect(await told(await script(`${directive}\n${named}`, 'more.py'))).toEqual([
      `script-model-partly ${directive}: 11 of 15 layers of Residual have their weights in "small.onnx".`,
    ]);
  });

  it('that fits no network is told', async () => {
    client.write('other.onnx', faultyNet());
    const [message] = await told(await script(`# quantlens: model=other.onnx\n${residualScript}`));
    expect(message).toContain('No network of this script has its weights in "other.onnx"');
  });
});
