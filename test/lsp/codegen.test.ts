/** Code for other libraries in the editor: a recipe as Python, and blocks that a script gets for its network. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CodeAction, type CodeLens, TextDocumentEdit } from 'vscode-languageserver-types';
import {
  type ExportCodeReply,
  exportCodeRequest,
  type InsertionsReply,
  insertionsRequest,
} from '../../server/src/protocol/lsp-ext';
import { covered, type Opened, positionAt, TestClient } from './support/client';
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

async function listed({ uri, text }: Opened, offset: number): Promise<InsertionsReply> {
  const position = positionAt(text, offset);
  return client.request(insertionsRequest, { textDocument: { uri }, position });
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
    const textDocument = { codeAction: { disabledSupport: true } };
    const workspace = { workspaceEdit, configuration: true };
    client = await TestClient.start({ capabilities: { workspace, textDocument } });
    client.write('small.onnx', residualNet());
  });

  async function opened(text: string): Promise<Opened> {
    return client.open(client.write('net.py', text), text, 'python');
  }

  async function told(text: string, mark: string) {
    const file = await opened(text);
    const actions = await actionsAt(file, mark, ['refactor.rewrite.insert']);
    const { blocks } = await listed(file, text.indexOf(mark));
    return { actions, blocks };
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
    expect(actions.map(({ title, disabled }) => [title, disabled?.reason])).toEqual([
      ['Insert static quantization (PT2E)', undefined],
      ['Insert quantization-aware training (PT2E)', undefined],
      ['Insert quantize_static after export (onnxruntime)', undefined],
      [
        'Insert quantize_dynamic after export (onnxruntime)',
        'Is for Linear layers, LSTM and attention: static quantization fits convolutions better.',
      ],
      [
        'Insert quantize_ (torchao)',
        'Needs a Linear layer besides the last, which stays float as the output: none found.',
      ],
    ]);
    expect(inserted(actions[2])).toContain('CalibrationReader(loader, input_name=InferenceSession(');
    expect(inserted(actions[0])).toContain('set_global(get_default_x86_inductor_quantization_config');
  });

  it('that cannot be inserted are told with the reason', async () => {
    const { actions, blocks } = await told(residualScript, 'torch.onnx.export');
    expect(actions.map(({ title, disabled }) => [title, disabled?.reason])).toEqual([
      [
        'Insert static quantization (PT2E)',
        expect.stringMatching(/^Needs a DataLoader for calibration: none/),
      ],
      ['Insert quantization-aware training (PT2E)', expect.stringMatching(/^Needs a DataLoader/)],
      ['Insert quantize_static after export (onnxruntime)', expect.stringMatching(/^Needs a DataLoader/)],
      [
        'Insert quantize_dynamic after export (onnxruntime)',
        'Is for Linear layers, LSTM and attention: static quantization fits convolutions better.',
      ],
      [
        'Insert quantize_ (torchao)',
        'Needs a Linear layer besides the last, which stays float as the output: none found.',
      ],
    ]);
    expect(blocks.map(({ reason }) => reason?.slice(0, 18))).toEqual([
      'needs a DataLoader',
      'needs a DataLoader',
      'needs a DataLoader',
      'is for Linear laye',
      'needs a Linear lay',
    ]);
  });

  it('come as a list with the same edits, also for the only network of a script', async () => {
    for (const mark of ['torch.onnx.export', 'import torch']) {
      const { actions, blocks } = await told(script, mark);
      const able = blocks.filter(({ edit }) => edit);
      expect(able.map(({ title }) => title)).toEqual([
        'Insert static quantization (PT2E)',
        'Insert quantization-aware training (PT2E)',
        'Insert quantize_static after export (onnxruntime)',
      ]);
      if (mark === 'torch.onnx.export')
        expect(able.map(({ edit }) => edit)).toEqual(
          actions.filter(({ edit }) => edit).map(({ edit }) => edit),
        );
    }
  });

  it('are not listed where no network is made, or the code is broken', async () => {
    const { uri } = await opened('import torch\n');
    expect(await listed({ uri, text: '' }, 0)).toEqual({ blocks: [], trouble: 'no-network' });
    await client.change(uri, `${script}\nx = (\n`);
    expect(await listed({ uri, text: '' }, 0)).toEqual({ blocks: [], trouble: 'broken' });
  });

  it('have a lens on the class and the export, which can be switched off', async () => {
    const file = await opened(script);
    const lenses = async () => {
      const all = await client.at<CodeLens[]>('codeLens', file);
      return all.filter(({ command }) => command?.command === 'quantlens.insertQuantization');
    };
    const found = await lenses();
    expect(found.map(({ range }) => covered(file.text, range))).toEqual(['Residual', 'export']);
    const lens = found[1];
    expect(lens?.command).toMatchObject({
      title: 'Insert quantization…',
      arguments: [file.uri, lens?.range.start],
    });
    await client.configure({ codeLens: { insert: false } });
    await client.until(lenses, (list) => list.length === 0);
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

  it('is offered by an action anywhere in a recipe that names its model', async () => {
    client.write('small.onnx', residualNet());
    const asked = async (name: string, content: object) => {
      const text = JSON.stringify(content);
      const opened = await client.open(client.write(name, text), text, 'jsonc');
      return actionsAt(opened, '}', ['refactor.rewrite.exportCode']);
    };
    const [action] = await asked('small.quant.json', recipe);
    expect(action?.title).toBe('Export this recipe as code…');
    expect(action?.command).toMatchObject({
      command: 'quantlens.exportCode',
      arguments: [client.uri('small.quant.json')],
    });
    expect(await asked('other.quant.json', {})).toEqual([]);
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
