/** Code for other libraries in the editor: a recipe as Python, and blocks that a script gets for its network. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CodeAction, type CodeLens, TextDocumentEdit } from 'vscode-languageserver-types';
import { type ExportCodeReply, exportCodeRequest } from '../../server/src/protocol/lsp-ext';
import { covered, type Opened, TestClient } from './support/client';
import { residualNet, residualScript } from './support/scripts';

let client: TestClient;
beforeEach(async () => {
  client = await TestClient.start();
});
afterEach(() => client.stop());

const recipe = {
  model: 'small.onnx',
  output: 'small.int8.onnx',
  default: { weights: 'int8.channel', activations: 'uint8.tensor' },
  layers: [
    { match: 'stem', keep: 'float' },
    { match: 'stage1.*', weights: 'int4.channel' },
  ],
};

const script = residualScript.replace(
  '    network = small().eval()\n',
  `    loader = torch.utils.data.DataLoader(torch.load("images.pt"), batch_size=8)
    network = small().eval()
`,
);

async function actionsAt(opened: Opened, mark: string, only?: readonly string[]): Promise<CodeAction[]> {
  return client.at<CodeAction[]>('codeAction', opened, opened.text.indexOf(mark), {
    context: { diagnostics: [], only },
  });
}

/** Inserted text; the editor asks before it stands there. */
function inserted(action: CodeAction | undefined): string {
  const changes = action?.edit?.documentChanges ?? [];
  const annotations = Object.values(action?.edit?.changeAnnotations ?? {});
  expect(annotations.some(({ needsConfirmation }) => needsConfirmation)).toBe(true);
  return changes
    .filter(TextDocumentEdit.is)
    .flatMap(({ edits }) => edits)
    .map((edit) => ('newText' in edit ? edit.newText : ''))
    .join('');
}

describe('blocks for a script', () => {
  beforeEach(async () => {
    await client.stop();
    const workspaceEdit = { documentChanges: true, changeAnnotationSupport: {} };
    client = await TestClient.start({ capabilities: { workspace: { workspaceEdit }, textDocument: {} } });
    client.write('small.onnx', residualNet());
  });

  async function opened(text: string): Promise<Opened> {
    return client.open(client.write('net.py', text), text, 'python');
  }

  it('come with what the recipe beside the model decides, as edits to be confirmed', async () => {
    client.write('small.quant.json', JSON.stringify(recipe));
    const actions = await actionsAt(await opened(script), 'torch.onnx.export');
    const block = inserted(actions.find(({ title }) => title === 'Insert static quantization (PT2E)'));
    expect(block.replaceAll('\n    #', '')).toContain('as small.quant.json decides');
    expect(block).toContain('network_ = copy.deepcopy(network).cpu().eval()');
    expect(block).toContain('for name in ["stem"]:');
    expect(block).toContain('"stage1.0.first"');
    expect(block).toContain('config(4, per_channel=True');
    expect(block).toContain('in zip(range(32), loader)');
  });

  it('treat all layers alike without a recipe', async () => {
    const actions = await actionsAt(await opened(script), 'torch.onnx.export', ['refactor.rewrite.insert']);
    expect(actions.map(({ title }) => title)).toEqual([
      'Insert static quantization (PT2E)',
      'Insert quantization-aware training (PT2E)',
    ]);
    expect(inserted(actions[0])).toContain('set_global(get_default_x86_inductor_quantization_config');
  });

  it('are not offered on other lines', async () => {
    const actions = await actionsAt(await opened(script), 'self.head = ', ['refactor.rewrite.insert']);
    expect(actions).toEqual([]);
  });
});

describe('a recipe as code', () => {
  it('comes as text, with what the library does in another way', async () => {
    client.write('small.onnx', residualNet());
    const uri = client.write('small.quant.json', JSON.stringify(recipe));
    const torchao = await client.request<ExportCodeReply>(exportCodeRequest, {
      recipeUri: uri,
      library: 'torchao',
    });
    expect(torchao.fileName).toBe('small_torchao.py');
    expect(torchao.text).toContain('"""Quantizes the network of small.onnx with torchao as small.quant.json');
    expect(torchao.problems).toEqual([expect.stringContaining('the recipe names no calibration data')]);
  });

  it('takes what stands in the editor, and says why there is none', async () => {
    const uri = client.write('small.quant.json', '{}');
    const text = JSON.stringify({ ...recipe, model: 'gone.onnx' });
    await client.open(uri, text, 'jsonc');
    const reply = await client.request<ExportCodeReply>(exportCodeRequest, {
      recipeUri: uri,
      library: 'aimet',
    });
    expect(reply.text).toBeUndefined();
    expect(reply.problems.join()).toContain('gone.onnx');
  });

  it('is offered by a lens', async () => {
    client.write('small.onnx', residualNet());
    const text = JSON.stringify(recipe);
    const opened = await client.open(client.write('small.quant.json', text), text, 'jsonc');
    const lenses = await client.request<CodeLens[]>('textDocument/codeLens', {
      textDocument: { uri: opened.uri },
    });
    const lens = lenses.find(({ command }) => command?.command === 'quantlens.exportCode');
    expect(lens?.command?.title).toBe('Export as code…');
    expect(lens && covered(text, lens.range).length).toBeGreaterThan(0);
  });
});
