/** Laws of recipes: writing what was read changes nothing, edits are idempotent and never touch a comment. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyTextEdits } from '../../server/src/engine/format/json-edit';
import { escapeLayerName, layerMatcher } from '../../server/src/engine/format/layer-glob';
import { parseRecipe, type RecipeMethod } from '../../server/src/engine/format/recipe';
import { editRecipe, type RecipeEdit } from '../../server/src/engine/format/recipe-edit';
import { chooseLayer } from '../../server/src/engine/format/recipe-match';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);

const layer = fc.oneof(
  fc.constantFrom(
    'conv1',
    'fc',
    'layer1.0.conv1',
    'layer1.1.conv1',
    'encoder/0/w',
    'a[0]',
    'b*',
    'x{1,2}',
    '"',
    '\\',
    'é\n',
  ),
  fc.string({ maxLength: 6 }).filter((name) => name !== ''),
);
const pattern = fc.oneof(
  layer.map(escapeLayerName),
  fc.constantFrom('*', 'layer1.*', '*conv1', 'f?', '[a-c]*', '{fc,conv1}'),
);
const weights = fc.constantFrom(
  'int8',
  'int4',
  'int8.channel',
  'int4.group32',
  'uint4.tensor.asym',
  'float',
  'nf4',
);
const activations = fc.constantFrom('uint8.tensor', 'int8', 'float', 'fp8e4m3');
const estimator = fc.constantFrom('mse', 'min-max', 'percentile:99.9', 'lp:2.4');
const method = fc.constantFrom('equalize', 'gptq', 'fold-batchnorm');
const rule = fc.oneof(
  fc.record({ match: pattern, weights, activations }, { requiredKeys: ['match', 'weights'] }),
  fc.record({ match: pattern, keep: fc.constant('float') }),
);
const recipe = fc.record(
  {
    model: layer,
    output: layer,
    target: fc.constant('ort-cpu'),
    data: fc.record(
      {
        source: layer,
        samples: fc.integer({ min: 1, max: 1000 }),
        mean: fc.array(fc.integer(), { minLength: 1, maxLength: 3 }),
      },
      { requiredKeys: ['source'] },
    ),
    default: fc.record({ weights, activations, estimator }, { requiredKeys: [] }),
    layers: fc.array(rule, { maxLength: 5 }),
    methods: fc.uniqueArray(method, { maxLength: 3 }),
    goal: fc.record({ bytes: fc.nat(), seconds: fc.nat() }, { requiredKeys: [] }),
    gates: fc.record(
      { outputSqnr: fc.integer(), topOneAgreement: fc.constantFrom(0, 0.5, 1) },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['model'] },
);

/**
 * How a person might have written it: spaces and comments between members. A comment between a key and its value
 * goes when the member is replaced, so there is none.
 */
const filler = fc.constantFrom('', '', ' ', '\n  ', '\r\n\t', ' /* b */ ', ' // l "\n  ', '// {\n', '\n\n');

function write(value: unknown, fill: () => string, comma: () => boolean): string {
  const list = (open: string, items: readonly string[], close: string) =>
    `${open}${items.map((item, index) => fill() + item + fill() + (index < items.length - 1 || comma() ? ',' : '')).join('')}${fill()}${close}`;
  if (Array.isArray(value))
    return list(
      '[',
      value.map((item) => write(item, fill, comma)),
      ']',
    );
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${write(item, fill, comma)}`,
  );
  return list('{', members, '}');
}

const written = fc
  .tuple(recipe, fc.infiniteStream(filler), fc.infiniteStream(fc.integer({ min: 0, max: 5 })))
  .map(([value, fillers, commas]) => {
    const fill = () => fillers.next().value ?? '';
    const text = fill() + write(value, fill, () => commas.next().value === 0) + fill();
    return { value, text };
  });

const edit: fc.Arbitrary<RecipeEdit> = fc.oneof(
  fc.record(
    { kind: fc.constant('set-rule' as const), layer, weights, activations },
    { requiredKeys: ['kind', 'layer', 'weights'] },
  ),
  fc.record({ kind: fc.constant('keep-float' as const), layer }),
  fc.record({ kind: fc.constant('per-channel' as const), layer }),
  fc.record(
    { kind: fc.constant('set-default' as const), weights, activations, estimator },
    { requiredKeys: ['kind'] },
  ),
  fc.record({ kind: fc.constant('add-method' as const), method }),
  fc.record({
    kind: fc.constant('set' as const),
    key: fc.constant('output' as const),
    value: fc.option(layer, { nil: undefined }),
  }),
);

const comments = (text: string): string[] =>
  [...text.matchAll(/"(?:[^"\\]|\\.)*"|(\/\*[\s\S]*?\*\/|\/\/[^\r\n]*)/g)].flatMap((match) => match[1] ?? []);

describe('recipes', () => {
  it('read back as they were written, whatever stands between the words', () => {
    fc.assert(
      fc.property(written, ({ value, text }) => {
        const { recipe: read, issues } = parseRecipe(text);
        expect(issues, text).toEqual([]);
        const { methods, default: defaults, layers, ...rest } = value;
        expect(read, text).toEqual({
          ...rest,
          default: defaults ?? {},
          layers: layers ?? [],
          methods: (methods ?? []).map((name): RecipeMethod => ({ name, options: {} })),
        });
      }),
      { seed, numRuns: 500 },
    );
  });

  it('an edit takes effect, keeps comments and everything else, and changes nothing the second time', () => {
    fc.assert(
      fc.property(written, edit, ({ text }, change) => {
        const before = parseRecipe(text).recipe;
        const edited = editRecipe(text, change);
        expect(edited.issues).toEqual([]);
        expect(applyTextEdits(text, edited.edits)).toBe(edited.text);
        const { recipe: after, issues } = parseRecipe(edited.text);
        expect(
          issues.filter(({ severity }) => severity === 'error'),
          edited.text,
        ).toEqual([]);
        expect(comments(edited.text).sort(), edited.text).toEqual(comments(text).sort());
        expect(editRecipe(edited.text, change)).toEqual({ text: edited.text, edits: [], issues: [] });
        if (change.kind === 'set-rule' || change.kind === 'keep-float') {
          const choice = after && chooseLayer(after, change.layer);
          expect(choice?.keep).toBe(change.kind === 'keep-float');
          if (change.kind === 'set-rule') expect(choice?.weights).toBe(change.weights);
        }
        const rest = ({
          layers: _,
          default: __,
          methods: ___,
          output: ____,
          ...others
        }: NonNullable<typeof after>) => others;
        expect(after && rest(after)).toEqual(before && rest(before));
        // Rules of other layers stay, in their order.
        if ('layer' in change && change.layer !== undefined) {
          const { layer } = change;
          const others = (rules: NonNullable<typeof after>['layers']) =>
            rules.filter(({ match }) => match !== escapeLayerName(layer) && match !== layer);
          expect(others(after?.layers ?? [])).toEqual(others(before?.layers ?? []));
        }
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('no text breaks the reader or an edit', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"layers"',
      '"match"',
      '"fc"',
      '"keep"',
      '"',
      '/*',
      '//',
      '\n',
      '1e999',
      'null',
      '\\',
      '"__proto__"',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 40 }),
        edit,
        (pieces, change) => {
          const text = pieces.join(' ');
          const { issues } = parseRecipe(text);
          for (const { anchor } of issues) {
            const [start, end] = anchor.span ?? [-1, -1];
            expect(start).toBeGreaterThanOrEqual(0);
            expect(end).toBeGreaterThanOrEqual(start);
          }
          const edited = editRecipe(text, change);
          expect(applyTextEdits(text, edited.edits)).toBe(edited.text);
        },
      ),
      { seed, numRuns: 1000 },
    );
  });

  it('an escaped name matches itself and nothing else', () => {
    fc.assert(
      fc.property(layer, layer, (one, other) => {
        const matcher = layerMatcher(escapeLayerName(one));
        expect(matcher(one)).toBe(true);
        expect(matcher(other)).toBe(one === other);
      }),
      { seed, numRuns: 500 },
    );
  });
});
