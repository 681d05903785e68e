/** Laws of code that recipes become: any plan gives Python that parses, and every layer's decision stands there once. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CodeLayer } from '../../server/src/codegen/code-plan';
import { codeLibraries, writeCode } from '../../server/src/codegen/index';
import type { PythonParser } from '../../server/src/script/parser';
import { readProgram } from '../../server/src/script/program';
import { pythonParser } from '../fixtures/python';
import { codeLayer, codePlan, linearLayer, listsIn, loopsIn } from '../unit/codegen/plans';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

const weights = fc
  .tuple(
    fc.constantFrom('int', 'uint'),
    fc.constantFrom(2, 3, 4, 5, 6, 7, 8, 16),
    fc.constantFrom('tensor', 'channel', 'group32', 'group128'),
    fc.constantFrom('', '.sym', '.asym'),
  )
  .map(([sign, bits, scope, symmetry]) => `${sign}${bits}.${scope}${symmetry}`);
const formats = fc.record({
  weights: fc.oneof(weights, fc.constant('float')),
  activations: fc.constantFrom('float', 'uint8.tensor', 'int8.tensor', 'uint4.tensor', 'uint16.tensor'),
  linear: fc.boolean(),
  name: fc.oneof(
    fc.constantFrom(
      'fc',
      'layer1.0.conv1',
      'a"b',
      'back\\slash',
      "it's",
      'é',
      'new\nline',
      '#',
      '"""',
      '{x}',
    ),
    fc.string({ minLength: 1, maxLength: 8 }),
  ),
});
const layers = fc
  .uniqueArray(formats, { minLength: 1, maxLength: 8, selector: ({ name }) => name })
  .map((list) =>
    list.map(({ weights: format, activations, linear, name }, index): CodeLayer => {
      const asked = format === 'float' ? 'float' : activations;
      const layer = linear ? linearLayer(name, format, asked) : codeLayer(name, format, asked);
      // The parser leaves escapes as they are written: what is read back has none.
      return { ...layer, node: `node ${index}` };
    }),
  );
const plans = fc
  .record({
    layers,
    estimator: fc.constantFrom('mse', 'min-max', 'moving-average', 'percentile:99.9', 'entropy'),
    model: fc.constantFrom('net.onnx', 'a b/"c".onnx', 'no\nsuch'),
    source: fc.constantFrom('x.npy', 'x.npz', 'images/', 'none', 'synthetic', '\\\\"'),
    unnamed: fc.boolean(),
  })
  .map(({ layers: list, source, ...rest }) => codePlan(list, { ...rest, data: { source } }));

describe('code of any plan', () => {
  it.each(codeLibraries)('for %s parses, and says what it leaves out', (library) => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { text, notes } = writeCode(plan, library);
        const parsed = parser.parse(text);
        expect(parsed.module.complete, text).toBe(true);
        parsed.dispose();
        const names = new Set(plan.layers.map(({ name }) => name));
        for (const note of notes) for (const name of note.layers) expect(names.has(name)).toBe(true);
        expect(text.match(/# Note: /g)?.length ?? 0).toBe(notes.length);
      }),
      { seed, numRuns: 60 },
    );
  });

  it('for onnxruntime holds each decision once', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { text, notes } = writeCode(plan, 'onnxruntime');
        const parsed = parser.parse(text);
        const program = readProgram(parsed.module);
        parsed.dispose();
        const excluded = listsIn(program).get('EXCLUDED');
        const loops = loopsIn(program).flat();
        const lost = new Set(
          notes.flatMap(({ instead, layers: of }) => (instead === 'the layer stays float' ? of : [])),
        );
        const blocks = [...text.matchAll(/^names = /gm)].length > 0 ? namesOf(text) : [];
        for (const layer of plan.layers) {
          const isStatic =
            layer.weights !== undefined && layer.activations !== undefined && !lost.has(layer.name);
          if (excluded) expect(excluded.filter((one) => one === layer.node).length).toBe(isStatic ? 0 : 1);
          else expect(isStatic).toBe(false);
          const isFloat = layer.weights === undefined || lost.has(layer.name);
          const isBlocks = blocks.includes(layer.node);
          const times = loops.filter((one) => one === layer.node).length;
          if (isFloat) expect([times, isBlocks]).toEqual([0, false]);
          // Weights alone stand in one place: stored, or in blocks behind a split.
          else if (!isStatic) expect(isBlocks ? 1 : times).toBe(1);
        }
      }),
      { seed, numRuns: 60 },
    );
  });

  it('for torchao names each module of quantize_ and of the quantizer once', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const { text } = writeCode(plan, 'torchao');
        const parsed = parser.parse(text);
        const program = readProgram(parsed.module);
        parsed.dispose();
        const loops = loopsIn(program).flat();
        expect(new Set(loops).size).toBe(loops.length);
        const modules = listsIn(program).get('MODULES') ?? [];
        for (const name of loops) expect(modules).toContain(name);
      }),
      { seed, numRuns: 60 },
    );
  });
});

/** Node names of all blocks: `names` is bound once per format. */
function namesOf(text: string): readonly string[] {
  const parsed = parser.parse(text);
  const { module } = parsed;
  const found = module.statements.flatMap((statement) =>
    statement.kind === 'assign' &&
    statement.targets[0]?.kind === 'name' &&
    statement.targets[0].name === 'names' &&
    statement.value?.kind === 'list'
      ? statement.value.items.flatMap((item) =>
          item.kind === 'constant' && typeof item.value === 'string' ? [item.value] : [],
        )
      : [],
  );
  parsed.dispose();
  return found;
}
