/** Blocks inserted into scripts: what is offered where, that the result parses, stays silent and is offered once. */
import { describe, expect, it } from 'vitest';
import type { InsertionKind } from '../../../server/src/codegen/insert';
import { added, atModule, findings, inFunction, offered, refused } from './insertions';
import { codeLayer, codePlan, linearLayer } from './plans';

describe('blocks for scripts', () => {
  it.each(['torch.onnx.export(', 'model = Net()', 'class Net'])(
    'are offered on %s, with the names of the script, parse, and no rule has anything to say',
    (mark) => {
      const made = offered(atModule, mark);
      expect([...made.keys()]).toEqual(['static', 'training', 'onnxruntime', 'torchao']);
      for (const text of made.values()) expect(findings(text)).toEqual(findings(atModule));
    },
  );

  it('stand behind the export, with the loader, the loss and the file of the script', () => {
    const made = offered(atModule, 'class Net');
    expect(added(made, 'static')).toMatchInlineSnapshot(`
      "# Static quantization (PT2E): ranges come from a few batches.
      network = copy.deepcopy(model).cpu().eval()
      example, *_ = next(iter(train_loader))
      quantizer = X86InductorQuantizer()
      quantizer.set_global(get_default_x86_inductor_quantization_config(is_qat=False))
      exported = torch.export.export(
          network, (example,), dynamic_shapes=({0: torch.export.Dim.AUTO},)
      ).module()
      prepared = prepare_pt2e(exported, quantizer)
      with torch.no_grad():
          for _, (inputs, *_) in zip(range(32), train_loader):
              prepared(inputs)
      quantized_network = convert_pt2e(prepared)"
    `);
    expect(added(made, 'training')).toContain('loss = criterion(prepared(inputs), targets)');
    expect(added(made, 'training')).toContain('for inputs, targets, *_ in train_loader:');
    expect(added(made, 'onnxruntime')).toMatchInlineSnapshot(`
      "# Static quantization of the exported file.
      # In one file first: what follows does not find weights that lie beside the model.
      onnx.save(onnx.load("net.onnx"), "net.prepared.onnx")
      # Folds BatchNormalization and constants; names of nodes stay.
      options = SessionOptions()
      options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
      options.optimized_model_filepath = "net.prepared.onnx"
      InferenceSession(
          "net.prepared.onnx",
          options,
          providers=["CPUExecutionProvider"],
          disabled_optimizers=["MatMulAddFusion"],
      )
      quant_pre_process(
          "net.prepared.onnx",
          "net.prepared.onnx",
          skip_optimization=True,
          skip_symbolic_shape=True,
      )
      # Products of two activations stay float.
      graph = onnx.load("net.prepared.onnx").graph
      weights = {tensor.name for tensor in graph.initializer}
      products = [
          node.name
          for node in graph.node
          if node.op_type == "MatMul" and weights.isdisjoint(node.input)
      ]
      quantize_static(
          "net.prepared.onnx",
          "net.int8.onnx",
          CalibrationReader(),
          quant_format=QuantFormat.QDQ,
          op_types_to_quantize=[
              "Clip",
              "Conv",
              "ConvTranspose",
              "Gemm",
              "MatMul",
              "MaxPool",
              "Relu",
          ],
          per_channel=True,
          activation_type=QuantType.QUInt8,
          weight_type=QuantType.QInt8,
          nodes_to_exclude=products,
          extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},
      )"
    `);
    // The last Linear is the output.
    expect(added(made, 'torchao')).toContain('name in ["hidden"]');
  });

  it('are not offered again, and not elsewhere', () => {
    const made = offered(atModule, 'class Net');
    for (const [kind, text] of made) expect([...offered(text, 'class Net').keys()]).not.toContain(kind);
    expect(offered(atModule, 'self.conv(x)').size).toBe(0);
    expect(offered(atModule, 'import torch').size).toBe(0);
  });

  it('keep to the function, in front of its return, and take only what is known there', () => {
    const made = offered(inFunction, 'model = Net()');
    expect([...made.keys()]).toEqual(['static', 'training', 'torchao']);
    const text = made.get('static') ?? '';
    expect(findings(text)).toEqual(findings(inFunction));
    expect(text).toContain('    example, *_ = next(iter(loader))\n');
    expect(text.indexOf('convert_pt2e(prepared)')).toBeLessThan(text.indexOf('    return model'));
  });

  it('keep line ends and tabs', () => {
    const tabbed = atModule.replaceAll('    ', '\t').replaceAll('\n', '\r\n');
    const text = offered(tabbed, 'class Net').get('static') ?? '';
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    expect(text).toContain(
      '\r\n\tfor _, (inputs, *_) in zip(range(32), train_loader):\r\n\t\tprepared(inputs)',
    );
    expect(findings(text)).toEqual(findings(tabbed));
  });

  it('take no dictionaries and no test set', () => {
    const dictionaries = inFunction.replace('batch[0]', 'batch["image"]');
    expect([...offered(dictionaries, 'model = Net()').keys()]).toEqual(['torchao']);
  });

  it('calibrate with a test set only where there is nothing else, and say so', () => {
    const tested = inFunction.replaceAll('loader', 'test_loader');
    const made = offered(tested, 'model = Net()');
    expect([...made.keys()]).toEqual(['static', 'torchao']);
    expect((made.get('static') ?? '').replaceAll(/\n *#/g, '')).toContain(
      'ranges come from test_loader, for no other loader can be used here. Training data is better for calibration; accuracy on this data must not be reported afterwards.',
    );
    expect(findings(made.get('static') ?? '')).toEqual(findings(tested));
    expect(offered(inFunction, 'model = Net()').get('static')).not.toContain('must not be reported');
    const onlyTest = atModule.replace(/train_loader = .*\n/, '');
    const reader = offered(onlyTest, 'class Net').get('onnxruntime') ?? '';
    expect(reader).toContain('loader=test_loader');
    expect(reader).toContain('# Note: ranges come from test_loader');
    expect(findings(reader)).toEqual(findings(onlyTest));
  });

  it.each<[string, string, Partial<Record<InsertionKind, string>>]>([
    [
      'a test set and no export',
      inFunction.replaceAll('loader', 'test_loader'),
      { training: 'only-held-out test_loader', onnxruntime: 'no-export ', dynamic: 'no-export ' },
    ],
    [
      'no loader',
      atModule.replaceAll(/\w+_loader = .*\n/g, ''),
      { static: 'no-loader ', training: 'no-loader ', onnxruntime: 'no-loader ', dynamic: 'convolutional ' },
    ],
    [
      'dictionaries',
      inFunction.replace('batch[0]', 'batch["image"]'),
      {
        static: 'dictionaries loader',
        training: 'dictionaries loader',
        onnxruntime: 'no-export ',
        dynamic: 'no-export ',
      },
    ],
    [
      'inputs alone',
      inFunction.replace('batch[0]', 'batch'),
      { training: 'no-labels loader', onnxruntime: 'no-export ', dynamic: 'no-export ' },
    ],
    [
      'no Linear',
      inFunction.replaceAll('nn.Linear(', 'nn.Conv1d(1, '),
      { onnxruntime: 'no-export ', dynamic: 'no-export ', torchao: 'no-matrices ' },
    ],
  ])('say what is missing: %s', (_, text, expected) => {
    expect(refused(text, 'model = Net()')).toEqual(expected);
  });

  it('keep the only Linear, which is the output', () => {
    const single = inFunction.replace('self.hidden = nn.Linear(', 'self.hidden = nn.Conv1d(1, ');
    expect(refused(single, 'model = Net()').torchao).toBe('only-output ');
  });

  it('say that a block stands there already', () => {
    const made = offered(atModule, 'class Net').get('static') ?? '';
    expect(refused(made, 'class Net')).toMatchObject({ static: 'done model' });
  });

  describe('for two networks', () => {
    const [before = '', after = ''] = atModule.split('torch.onnx.export(');
    const second = `${before}torch.onnx.export(${after}other = Net()
other.load_state_dict(torch.load("other.pt"))
torch.onnx.export(other, torch.zeros(1, 1, 8, 8), "other.onnx", input_names=["y"])
`;
    const kinds: readonly InsertionKind[] = ['static', 'training', 'onnxruntime', 'torchao'];

    it.each(kinds)('%s can be inserted for each, once', (kind) => {
      const first = offered(second, '"net.onnx"').get(kind) ?? '';
      expect(refused(first, '"net.onnx"')[kind]).toBe('done model');
      const both = offered(first, 'torch.onnx.export(other').get(kind) ?? '';
      expect(findings(both)).toEqual(findings(second));
      expect(refused(both, '"net.onnx"')[kind]).toBe('done model');
      expect(refused(both, 'torch.onnx.export(other')[kind]).toBe('done other');
    });

    it('are told apart by what a function is given', () => {
      const helper = `${second}

def quantize(network, loader):
    prepared = prepare_pt2e(network, None)
    return prepared

`.replace(
        'import torch\n',
        'import torch\nfrom torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e\n',
      );
      const one = `${helper}result = quantize(model.eval(), train_loader)\n`;
      expect(refused(one, '"net.onnx"').static).toBe('done model');
      expect(refused(one, 'torch.onnx.export(other').static).toBeUndefined();
      // What leads to no network may be about any.
      expect(refused(helper, 'torch.onnx.export(other').static).toBe('done other');
    });

    it('feed each its own input', () => {
      const first = offered(second, '"net.onnx"').get('onnxruntime') ?? '';
      expect(first).toContain('input_name="x"');
      const both = offered(first, 'torch.onnx.export(other').get('onnxruntime') ?? '';
      expect(both).toContain('CalibrationReader(input_name="y"),');
    });
  });

  describe('for networks without convolutions', () => {
    const tagger = atModule
      .replace('self.conv = nn.Conv2d(1, 8, 3)', 'self.words = nn.Embedding(100, 8)')
      .replace('self.hidden = nn.Linear(8, 64)', 'self.hidden = nn.LSTM(8, 64, batch_first=True)')
      .replace('x = torch.relu(self.conv(x)).mean((2, 3))', 'x = self.words(x)')
      .replace('torch.relu(self.hidden(x))', 'self.hidden(x)[0]');

    it('quantize at run time, without data', () => {
      const made = offered(tagger.replaceAll(/\w+_loader = .*\n/g, ''), 'class Net');
      expect(added(made, 'dynamic')).toMatchInlineSnapshot(`
        "# Dynamic quantization of the exported file.
        # Weights become int8; ranges of activations are found at run time, so no data is
        # needed.
        # In one file first: what follows does not find weights that lie beside the model.
        onnx.save(onnx.load("net.onnx"), "net.prepared.onnx")
        # Folds BatchNormalization and constants; names of nodes stay.
        options = SessionOptions()
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = "net.prepared.onnx"
        InferenceSession(
            "net.prepared.onnx",
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["MatMulAddFusion"],
        )
        quant_pre_process(
            "net.prepared.onnx",
            "net.prepared.onnx",
            skip_optimization=True,
            skip_symbolic_shape=True,
        )
        quantize_dynamic(
            "net.prepared.onnx",
            "net.dynamic.onnx",
            op_types_to_quantize=["MatMul", "LSTM", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )"
      `);
      expect(findings(made.get('dynamic') ?? '')).toEqual(findings(tagger));
      expect(refused(made.get('dynamic') ?? '', 'class Net')).toMatchObject({ dynamic: 'done model' });
    });

    it('leave out what a recipe keeps', () => {
      const plan = codePlan([
        linearLayer('hidden', 'int8.channel', 'uint8.tensor'),
        linearLayer('small', 'int4.group32'),
        linearLayer('fc', 'float'),
      ]);
      const block = added(offered(tagger, 'class Net', plan), 'dynamic');
      expect(block).toContain('nodes_to_exclude=["/small/Gemm_MatMul", "/fc/Gemm_MatMul"]');
      expect(block).toContain('# Note: small: a format that quantize_dynamic lacks: the layer stays float.');
      expect(block).toContain('op_types_to_quantize=["MatMul"]');
    });
  });

  it('do what a recipe decides about each module', () => {
    const plan = codePlan([
      codeLayer('conv', 'float'),
      linearLayer('hidden', 'int4.group32'),
      linearLayer('fc', 'int8.channel', 'uint8.tensor'),
    ]);
    const made = offered(atModule, 'class Net', plan);
    expect([...made.keys()]).toEqual(['static', 'training', 'onnxruntime', 'torchao']);
    for (const text of made.values()) expect(findings(text)).toEqual(findings(atModule));
    const block = added(made, 'static');
    expect(block).toContain('as net.quant.json decides');
    expect(block).toMatch(/for name in \["fc"\]:\n {4}quantizer\.set_module_name_qconfig/);
    expect(block).not.toContain('set_global');
    expect(block).toContain('granularity=PerGroup(32)');
    expect(block).toContain('name in ["hidden"]');
    expect(added(made, 'onnxruntime')).toContain('nodes_to_exclude=["/conv/Conv", "/hidden/Gemm"]');
    expect(added(made, 'torchao')).toContain('# Note: fc: ranges of activations');
  });

  it('define what other formats need beside their use', () => {
    const plan = codePlan([
      codeLayer('conv', 'int4.channel', 'uint8.tensor'),
      linearLayer('fc', 'int8.tensor', 'uint8.tensor'),
    ]);
    const text = offered(atModule, 'class Net', plan).get('static') ?? '';
    expect(findings(text)).toEqual(findings(atModule));
    expect(text).toContain('def config(bits, per_channel, activations, is_qat):');
    expect(text).toContain('config(4, per_channel=True, activations=(8, False, False), is_qat=False)');
  });

  it('use a reader that the script has', () => {
    const own = atModule.replace(
      'model = Net()',
      `from onnxruntime.quantization import CalibrationDataReader


class Feeder(CalibrationDataReader):
    def __init__(self, loader=train_loader):
        self.batches = iter(loader)

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch[0].numpy()}


model = Net()`,
    );
    const made = offered(own, 'class Net');
    expect(made.get('onnxruntime')).toContain('    Feeder(),\n');
    expect(made.get('onnxruntime')).toContain(
      'from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static\n',
    );
    expect(findings(made.get('onnxruntime') ?? '')).toEqual(findings(own));
  });

  it('ask the exported file for its input where the export does not name it', () => {
    const unnamed = atModule.replace(', input_names=["x"]', '');
    const made = offered(unnamed, 'class Net').get('onnxruntime') ?? '';
    expect(made).toContain(
      'CalibrationReader(train_loader, input_name=InferenceSession("net.onnx").get_inputs()[0].name)',
    );
    expect(made).toContain(
      'from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions\n',
    );
    expect(findings(made)).toEqual(findings(unnamed));
  });

  it('know the module of ONNX from that of torch, and take the name that the script has for it', () => {
    const clash = offered(
      atModule.replace('import torch\n', 'import torch\nfrom torch import onnx\n'),
      'class Net',
    );
    expect(clash.get('onnxruntime')).toContain('import onnx as onnx_\n');
    expect(clash.get('onnxruntime')).toContain('onnx_.save(onnx_.load("net.onnx"), "net.prepared.onnx")');
    const known = offered(
      atModule.replace('import torch\n', 'import torch\nimport onnx as ox\n'),
      'class Net',
    );
    expect(known.get('onnxruntime')).toContain('\nox.save(ox.load("net.onnx"), "net.prepared.onnx")');
  });

  it('say how the ranges of the recipe are found', () => {
    const withEstimator = (estimator: string) => {
      const plan = codePlan([codeLayer('conv', 'int8.channel', 'uint8.tensor')], { estimator });
      return added(offered(atModule, 'class Net', plan), 'onnxruntime');
    };
    expect(withEstimator('percentile:99.9')).toContain('calibrate_method=CalibrationMethod.Percentile');
    expect(withEstimator('percentile:99.9')).toContain('"CalibPercentile": 99.9');
    expect(withEstimator('mse')).toMatch(/# [^\n]*activation ranges by mse/);
  });

  it('name the file as the export does', () => {
    const named = atModule
      .replace('"net.onnx"', 'OUT / "net.onnx"')
      .replace('data = ', 'OUT = torch\ndata = ');
    expect(added(offered(named, 'torch.onnx.export('), 'onnxruntime')).toContain(
      'str(OUT / "net.onnx").replace(".onnx", ".prepared.onnx")',
    );
  });
});
