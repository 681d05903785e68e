/** Language features of a model's text view, asked through the editor. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import {
  ask,
  closeEditors,
  demoModel,
  hoverOf,
  inWorkspace,
  lensesOf,
  lensOf,
  lineWith,
  placeOf,
  showModelText,
} from './support';

describe('text view of a model', () => {
  let document: vscode.TextDocument;
  /** Rows `| format | error of | SQNR | …` of a hover. */
  const rows = (hover: string) => hover.split('\n').filter((line) => /^\| .* dB \|/.test(line));

  /** Markdown without its marks. */
  const plain = (markdown: string) => markdown.replace(/[\\*`]/g, '');

  before(async () => {
    document = await showModelText(inWorkspace(demoModel));
  });
  after(closeEditors);

  it('is the graph in ONNX textual syntax with its own language', () => {
    assert.equal(document.languageId, 'onnxtxt');
    const text = document.getText();
    assert.match(text, /^main_graph \(float\[batch,1,28,28\] image\) => \(float\[batch,10\] logits\)$/m);
    assert.match(text, /float\[16,1,3,3\] "stem\.weight" = /);
    assert.equal(text.match(/ = Conv </g)?.length, 20);
  });

  it('hovers a layer with a table of formats and their error in dB', async () => {
    const hover = await hoverOf(document, placeOf(document, 'Conv <'), /dB/);
    assert.match(plain(hover), /^stem · Conv · 16×1×3×3$/m);
    const formats = rows(hover).map((row) => plain(row).split('|')[1]?.trim());
    assert.deepEqual(formats, ['int8.tensor', 'int8.channel', 'int4.tensor', 'int4.channel']);
    // The figures of README.md's first table; a change of the analysis must be seen here.
    const figures = rows(hover).map((row) => Number(/(\d+\.\d) dB/.exec(row)?.[1]));
    assert.deepEqual(figures.slice(0, 4), [42.2, 47.1, 17.5, 21.9]);
  });

  it('hovers a weight with the table of its layer, and a value with its type', async () => {
    const weight = await hoverOf(document, placeOf(document, '"blocks.0.depthwise.weight"'), /dB/);
    assert.match(plain(weight), /^blocks\.0\.depthwise · depthwise Conv · 32×1×3×3$/m);
    const value = await hoverOf(document, placeOf(document, 'image'), /image/);
    assert.match(plain(value), /^image · float\[batch,1,28,28\]$/);
  });

  it('has lenses with facts and actions on the graph', async () => {
    const facts = await lensOf(document, /kB · 21 layers/);
    assert.match(facts.title, /^281 kB · 21 layers · worst weight classifier: int8 42\.6 dB$/);
    const uri = inWorkspace(demoModel).toString();
    const { command, arguments: args } = await lensOf(document, /^Quantize to int4$/);
    assert.deepEqual([command, args], ['quantlens.quantize', [uri, 'int4']]);
    assert.equal((await lensOf(document, /^Calibrate$/)).command, 'quantlens.calibrate');
  });

  it('has a lens on each layer, on the line of its node', async () => {
    const lenses = await lensesOf(document, /^head · int8 45\.4 dB/);
    const ofLayers = lenses.filter(({ command }) =>
      / · int8 .* · int4 .* · planned: /.test(command?.title ?? ''),
    );
    assert.equal(ofLayers.length, 21);
    for (const { range, command } of ofLayers) {
      const layer = command?.title.split(' · ')[0] ?? '';
      assert.match(
        document.lineAt(range.start.line).text,
        new RegExp(`"?${layer.replaceAll('.', '\\.')}\\.weight`),
      );
    }
  });

  it('outlines graph, inputs and nodes by layer name', async () => {
    const [graph] = (await ask<vscode.DocumentSymbol[]>('DocumentSymbol', document.uri)) ?? [];
    assert.equal(graph?.name, 'main_graph');
    const names = graph.children.map(({ name }) => name);
    assert.equal(names[0], 'image');
    assert.ok(names.includes('blocks.5.project') && names.includes('classifier'));
    const stem = graph.children.find(({ name }) => name === 'stem');
    assert.match(stem?.detail ?? '', /^Conv · int8 47\.1 dB$/);
    assert.equal(stem && document.getText(stem.selectionRange), 'Conv');
  });

  it('folds header, graph and initializers', async () => {
    const ranges = (await ask<vscode.FoldingRange[]>('FoldingRange', document.uri)) ?? [];
    const starts = ranges.map(({ start }) => document.lineAt(start).text);
    const expected = [/^<$/, /^\{$/, /"stem\.weight" =/];
    for (const start of expected)
      assert.ok(
        starts.some((line) => start.test(line)),
        `${start} folds`,
      );
  });

  it('finds definition and references of a value', async () => {
    const use = placeOf(document, '"stem.weight"', ' = Conv <');
    const [definition] = (await ask<vscode.Location[]>('Definition', document.uri, use)) ?? [];
    assert.ok(definition, 'there is a definition');
    assert.match(
      lineWith(document, document.getText(definition.range)),
      /^ +float\[16,1,3,3\] "stem\.weight" =/,
    );
    const references = (await ask<vscode.Location[]>('Reference', document.uri, use)) ?? [];
    // The script that makes the layer is one too.
    const here = references.filter(({ uri }) => uri.toString() === document.uri.toString());
    const lines = here.map(({ range }) => document.lineAt(range.start.line).text);
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? '', / = Conv </);
  });

  it('colours operators and values by meaning', async () => {
    const legend = await vscode.commands.executeCommand<vscode.SemanticTokensLegend>(
      'vscode.provideDocumentSemanticTokensLegend',
      document.uri,
    );
    const tokens = await vscode.commands.executeCommand<vscode.SemanticTokens>(
      'vscode.provideDocumentSemanticTokens',
      document.uri,
    );
    const kinds = new Map<string, Set<string>>();
    let line = 0;
    let start = 0;
    for (let at = 0; at < tokens.data.length; at += 5) {
      const [down = 0, right = 0, length = 0, type = 0] = tokens.data.subarray(at, at + 4);
      line += down;
      start = down > 0 ? right : start + right;
      const text = document.getText(new vscode.Range(line, start, line, start + length));
      kinds.set(text, (kinds.get(text) ?? new Set()).add(legend.tokenTypes[type] ?? ''));
    }
    const kindsOf = (text: string) => [...(kinds.get(text) ?? [])];
    assert.deepEqual(kindsOf('Conv'), ['function']);
    assert.deepEqual(kindsOf('"stem.weight"'), ['variable']);
    assert.deepEqual(kindsOf('dilations'), ['property']);
    assert.deepEqual(kindsOf('main_graph'), ['namespace']);
  });
});
