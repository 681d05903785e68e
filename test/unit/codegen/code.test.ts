/** A plan as Python: small golden texts, and decisions read back from the code by the analyser of scripts. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { CodePlan } from '../../../server/src/codegen/code-plan';
import { type CodeLibrary, codeLibraries, writeCode } from '../../../server/src/codegen/index';
import { modulePath } from '../../../server/src/codegen/module-path';
import { comment, docstring, quote } from '../../../server/src/codegen/python';
import { analyzeScript } from '../../../server/src/rules/script/analyze';
import type { PythonParser } from '../../../server/src/script/parser';
import { pythonParser } from '../../fixtures/python';
import { codeLayer, codePlan, linearLayer, listsIn } from './plans';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

function code(plan: CodePlan, library: CodeLibrary) {
  const { text, notes } = writeCode(plan, library);
  const script = analyzeScript(parser, 'code.py', text);
  expect(script.parsed.module.complete).toBe(true);
  expect(script.findings.map(({ rule }) => rule.code)).toEqual([]);
  const lists = listsIn(script.program);
  script.parsed.dispose();
  return { text, notes, lists };
}

const mixed = codePlan([
  codeLayer('stem', 'float'),
  codeLayer('a', 'int8.channel', 'uint8.tensor'),
  codeLayer('b', 'int8.channel', 'uint8.tensor'),
  codeLayer('c', 'int4.channel', 'uint8.tensor'),
  codeLayer('d', 'int4.channel'),
  linearLayer('fc', 'int4.group32'),
]);

describe('a recipe as Python', () => {
  it.each(codeLibraries)(
    'for %s parses, is the same every time, and no rule has anything to say',
    (library) => {
      const { text } = code(mixed, library);
      expect(text).toBe(writeCode(mixed, library).text);
      expect(text).toContain('net.quant.json');
      expect(text.endsWith('\n')).toBe(true);
      expect(text.split('\n').filter((line) => /\s$/.test(line))).toEqual([]);
    },
  );

  it('for onnxruntime excludes from the static step exactly what is not static', () => {
    const { lists } = code({ ...mixed, others: ['/attention/MatMul'] }, 'onnxruntime');
    expect(lists.get('EXCLUDED')).toEqual(['/stem/Conv', '/d/Conv', '/fc/Gemm', '/attention/MatMul']);
    expect(lists.get('names')).toEqual(['/fc/Gemm']);
  });

  it('for onnxruntime sets other formats of a weight under the name it has by then', () => {
    const { text } = code(mixed, 'onnxruntime');
    expect(text).toContain(`for name in ["/c/Conv"]:
    overrides[nodes[name].input[1]] = [{"quant_type": QuantType.QInt4, "axis": 0, "symmetric": True}]`);
    expect(text).toContain('store(model, name, bits=4, signed=True, symmetric=True, axis=0)');
    expect(text).toContain('block_size=32');
  });

  it('for onnxruntime lets a float layer read the real numbers of a tensor that another has quantized', () => {
    const withInput = (activation: string) => {
      const quantized = codeLayer('a', 'int8.channel', 'uint8.tensor', { activation: 'shared' });
      return code(codePlan([quantized, codeLayer('b', 'float', 'float', { activation })]), 'onnxruntime')
        .text;
    };
    const reading = 'node.input[index] = sources.get(sources.get(name), name)';
    expect(withInput('shared')).toContain(reading);
    expect(withInput('shared').endsWith('onnx.save(model, OUTPUT)\n')).toBe(true);
    expect(withInput('other')).not.toContain(reading);
  });

  it('for onnxruntime with one format is short', () => {
    const plan = codePlan([codeLayer('a', 'int8.channel', 'uint8.tensor')], { estimator: 'min-max' });
    const { text, notes } = code(plan, 'onnxruntime');
    expect(notes).toEqual([]);
    expect(text.slice(text.indexOf('# Folds'))).toMatchInlineSnapshot(`
      "# Folds BatchNormalization and constants; names of nodes stay.
      options = SessionOptions()
      options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
      options.optimized_model_filepath = PREPARED
      InferenceSession(
          PREPARED,
          options,
          providers=["CPUExecutionProvider"],
          disabled_optimizers=["MatMulAddFusion"],
      )
      quant_pre_process(PREPARED, PREPARED, skip_optimization=True, skip_symbolic_shape=True)
      # Float layers, layers of which only the weights are quantized, and products of two
      # activations, about which the recipe does not decide.
      EXCLUDED = []
      quantize_static(
          PREPARED,
          OUTPUT,
          Reader(),
          quant_format=QuantFormat.QDQ,
          op_types_to_quantize=["Conv", "Relu"],
          per_channel=True,
          activation_type=QuantType.QUInt8,
          weight_type=QuantType.QInt8,
          nodes_to_exclude=EXCLUDED,
          calibrate_method=CalibrationMethod.MinMax,
      )
      "
    `);
  });

  it('for onnxruntime of weights alone calibrates nothing', () => {
    const { text } = code(codePlan([linearLayer('fc', 'int4.group32')]), 'onnxruntime');
    expect(text).not.toContain('quantize_static');
    expect(text).not.toContain('samples');
    expect(text).toContain('split(model, name)');
  });

  it('for torchao names exactly the modules that differ', () => {
    const { text, lists } = code(mixed, 'torchao');
    expect(lists.get('MODULES')).toEqual(['stem', 'fc', 'c', 'd']);
    expect(text).toContain('filter_fn=only({"fc"})');
    expect(text).toContain('config(4, per_channel=True, activations=None, is_qat=is_qat)');
    expect(text).toContain('for name in ["stem", "fc"]:');
  });

  it('for torchao of weights alone changes the network itself', () => {
    const plan = codePlan([
      linearLayer('a', 'int8.channel'),
      linearLayer('b', 'int4.group32.asym'),
      linearLayer('c', 'float'),
    ]);
    const { text } = code(plan, 'torchao');
    expect(text).not.toContain('pt2e');
    expect(text.slice(text.indexOf('def quantize'))).toMatchInlineSnapshot(`
      "def quantize(model):
          """Quantizes exactly the named modules of \`model\` in place and returns it."""
          check(model)
          quantize_(model, Int8WeightOnlyConfig(), filter_fn=only({"a"}))
          quantize_(
              model,
              IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32), mapping_type=MappingType.ASYMMETRIC),
              filter_fn=only({"b"}),
          )
          return model
      "
    `);
  });

  it('for AIMET turns on what the recipe names', () => {
    const { text } = code(mixed, 'aimet');
    expect(text).toContain(`configure(
    ["/a/Conv", "/b/Conv"],
    QSpec.per_channel(qtype.int(8), symmetric=True),
    QSpec.per_tensor(qtype.int(8), symmetric=False),
)`);
    expect(text).toContain('configure(["/fc/Gemm"], QSpec.blockwise(qtype.int(4), 32, symmetric=True))');
    expect(text).not.toContain('/stem/Conv');
    expect(text).toContain('post_training_tf_enhanced');
  });

  it.each([
    ['onnxruntime', codeLayer('x', 'int4.group32'), 'the layer stays float'],
    ['onnxruntime', codeLayer('x', 'int6.channel', 'uint8.tensor'), 'all codes of QInt8'],
    ['torchao', codeLayer('x', 'int8.channel', 'uint16.tensor'), 'the layer stays float'],
    [
      'torchao',
      codeLayer('x', 'int8.channel', 'uint8.tensor', { op: 'ConvTranspose' }),
      'the layer stays float',
    ],
    ['aimet', codeLayer('x', 'int4.group32'), 'a scale per channel'],
  ] as const)('for %s says what it cannot do, in the code and in its notes', (library, layer, instead) => {
    const { text, notes } = code(codePlan([layer]), library);
    expect(notes).toContainEqual(expect.objectContaining({ instead, layers: ['x'], lost: true }));
    expect(text.replaceAll('\n#', '')).toContain(`${instead}.`);
  });

  it('says which data and methods are missing', () => {
    const plan = codePlan([codeLayer('x', 'int8.channel', 'uint8.tensor')], {
      data: { source: 'synthetic' },
      methods: ['equalize'],
    });
    for (const library of codeLibraries) {
      const { text, notes } = code(plan, library);
      expect(text).toContain('calibration.npz');
      expect(notes.map(({ what }) => what)).toContain('method equalize');
    }
  });

  it('prepares images as the recipe says', () => {
    const { text } = code(
      codePlan([codeLayer('x', 'int8.channel', 'uint8.tensor')], {
        data: { source: 'images/', samples: 64, resize: 256, crop: 224, mean: [0.5, 0.4, 0.3], color: 'bgr' },
      }),
      'onnxruntime',
    );
    for (const part of ['256 / min', '224) // 2', '[:64]', '::-1', '[0.5, 0.4, 0.3]'])
      expect(text).toContain(part);
  });

  it('looks for pictures where a run of the recipe does, and says where there are none', () => {
    const { text } = code(
      codePlan([codeLayer('x', 'int8.channel', 'uint8.tensor')], { data: { source: 'images/val' } }),
      'onnxruntime',
    );
    expect(text).toContain('for file in pictures(Path("images/val")):');
    const own = text.indexOf('folder.iterdir(), folder.rglob("*")');
    const none = text.indexOf('raise FileNotFoundError(f"no JPEG or PNG pictures in');
    expect(own).toBeGreaterThan(0);
    expect(none).toBeGreaterThan(own);
    expect(text).toContain('relative_to(folder).as_posix()');
  });
});

describe('pieces of Python', () => {
  it('quote any text', () => {
    expect(quote('a"b\\c\n\u0007é')).toBe('"a\\"b\\\\c\\n\\x07é"');
  });

  it('keep comments and docstrings closed', () => {
    expect(comment('a\nimport os')).toBe('# a?import os');
    expect(docstring(['a"""', 'b\\'])).toBe('"""a\'\'\'\n\nb/\n"""');
  });

  it.each([
    ['layer1.0.conv1', 'layer1.0.conv1'],
    ['layer1/layer1.0/conv1', 'layer1.0.conv1'],
    ['features/features.1/conv/conv.0/conv.0.0', 'features.1.conv.0.0'],
    ['blocks.0/qkv', 'blocks.0.qkv'],
    ['fc', 'fc'],
  ])('find the module of %s', (name, module) => {
    expect(modulePath(name)).toBe(module);
  });
});
