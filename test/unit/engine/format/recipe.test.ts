/** Reading recipes: values, spans, and one issue per thing that is wrong. */
import { describe, expect, it } from 'vitest';
import { parseRecipe, recipeLocation } from '../../../../server/src/engine/format/recipe';
import { newRecipe } from '../../../../server/src/engine/format/recipe-new';

const contract = `// resnet
{ "model": "resnet20.onnx", "output": "resnet20.int8.onnx", "target": "ort-cpu",
  "data": {"source": "images/", "resize": 256, "crop": 224, "scale": "1/255", "mean": [0.485, 0.456, 0.406], "std": 0.5},
  "default": {"weights": "int8.channel", "activations": "uint8.tensor", "estimator": "mse"},
  "layers": [ {"match": "layer3.*", "weights": "int4.channel"}, {"match": "fc", "keep": "float"}, ],   // trailing comma
  "methods": ["fold-batchnorm", {"name": "gptq", "damping": 0.01}],
  "goal":  {"bytes": 400000, "accuracyDrop": 0.005, "seconds": 120},
  "gates": {"outputSqnr": 20, "topOneAgreement": 0.98, "bytes": 400000} }
`;

/** Issues as \`severity key: reason → expected @ text under the span\`. */
function problems(text: string): string[] {
  return parseRecipe(text).issues.map((one) => {
    const under = text.slice(...(one.anchor.span ?? [0, 0]));
    if (one.code === 'recipe-syntax') return `${one.severity} ${one.facts.reason} @ ${under}`;
    if (one.code !== 'recipe-value') return one.code;
    return `${one.severity} ${one.facts.key}: ${one.facts.reason} → ${one.facts.expected} @ ${under}`;
  });
}

/** Problems of a recipe with these members behind the model. */
function checkProblems(members: string, ...expected: string[]): void {
  expect(problems(`{"model": "m.onnx", ${members}}`)).toEqual(expected);
}

describe('a recipe as the contract shows it', () => {
  const { recipe, spans, issues } = parseRecipe(contract);
  const under = (span: readonly [number, number] | undefined) => span && contract.slice(...span);

  it('reads into typed data', () => {
    expect(issues).toEqual([]);
    expect(recipe).toEqual({
      model: 'resnet20.onnx',
      output: 'resnet20.int8.onnx',
      target: 'ort-cpu',
      data: {
        source: 'images/',
        resize: 256,
        crop: 224,
        scale: 1 / 255,
        mean: [0.485, 0.456, 0.406],
        std: [0.5],
      },
      default: { weights: 'int8.channel', activations: 'uint8.tensor', estimator: 'mse' },
      layers: [
        { match: 'layer3.*', weights: 'int4.channel' },
        { match: 'fc', keep: 'float' },
      ],
      methods: [
        { name: 'fold-batchnorm', options: {} },
        { name: 'gptq', options: { damping: 0.01 } },
      ],
      goal: { bytes: 400_000, accuracyDrop: 0.005, seconds: 120 },
      gates: { outputSqnr: 20, topOneAgreement: 0.98, bytes: 400_000 },
    });
  });

  it('gives a span for everything', () => {
    expect(under(spans.root)).toBe(contract.slice(contract.indexOf('{'), contract.lastIndexOf('}') + 1));
    expect(spans.rules.map(({ index, match }) => [index, under(match)])).toEqual([
      [0, '"layer3.*"'],
      [1, '"fc"'],
    ]);
    expect(under(spans.rules[0]?.span)).toBe('{"match": "layer3.*", "weights": "int4.channel"}');
    expect(under(spans.rules[0]?.properties.weights?.value)).toBe('"int4.channel"');
    expect(spans.methods.map(under)).toEqual(['"fold-batchnorm"', '{"name": "gptq", "damping": 0.01}']);
    expect(under(spans.values.get('default.weights')?.key)).toBe('"weights"');
    expect(under(spans.values.get('layers.1.keep')?.value)).toBe('"float"');
    expect(under(spans.values.get('gates.bytes')?.value)).toBe('400000');
  });
});

describe('what is wrong', () => {
  it.each([
    ['"default": {"weights": "int8.chanel"}', 'int8.channel'],
    ['"default": {"weights": "in8"}', 'int8'],
    ['"default": {"activations": "unit8"}', 'uint8'],
    ['"default": {"estimator": "entrpy"}', 'entropy'],
    ['"methods": ["fold-batchnrm"]', 'fold-batchnorm'],
    ['"methods": [{"name": "gpqt"}]', undefined],
    ['"data": {"source": "x", "layout": "NCWH"}', 'nchw'],
    ['"defalt": {}', 'default'],
    ['"default": {"weights": "something else"}', undefined],
  ])('%s: suggests %s', (part, expected) => {
    const [one] = parseRecipe(`{"model": "m.onnx", ${part}}`).issues;
    expect(one?.code === 'recipe-value' && one.facts.nearest).toBe(expected);
  });

  it('unknown keys are warnings that name the nearest key', () => {
    checkProblems('"layer": []', 'warning layer: unknown key → layers @ "layer"');
    checkProblems(
      '"default": {"weight": "int8"}',
      'warning default.weight: unknown key → weights @ "weight"',
    );
    checkProblems(
      '"layers": [{"match": "a", "weights": "int8", "bits": 4}]',
      'warning layers.0.bits: unknown key → match, weights, activations, keep @ "bits"',
    );
    checkProblems(
      '"__proto__": {"model": 1}',
      'warning __proto__: unknown key → $schema, model, output, target, data, default, layers, methods, goal, gates @ "__proto__"',
    );
  });

  it.each([
    ['"target": "tensorrt"', 'error target: found "tensorrt" → one of ort-cpu @ "tensorrt"'],
    [
      '"default": {"weights": "int9"}',
      'error default.weights: found "int9" → a weight format such as int8.channel, int4.group32, fp8e4m3 or float @ "int9"',
    ],
    [
      '"default": {"activations": "uint8.group32"}',
      'error default.activations: found "uint8.group32" → an activation format such as uint8.tensor or float @ "uint8.group32"',
    ],
    [
      '"default": {"estimator": "percentile:3"}',
      'error default.estimator: found "percentile:3" → percentile:50…100 or lp:p with p > 0 @ "percentile:3"',
    ],
    ['"default": []', 'error default: found an array → an object @ []'],
    ['"layers": {}', 'error layers: found an object → a list of rules @ {}'],
    ['"layers": ["fc"]', 'error layers.0: found "fc" → an object @ "fc"'],
    ['"layers": [{"weights": "int8"}]', 'error layers.0.match: missing → this key @ {"weights": "int8"}'],
    [
      '"layers": [{"match": "", "weights": "int8"}]',
      'error layers.0.match: found "" → a layer name or pattern @ ""',
    ],
    ['"layers": [{"match": "a", "keep": "int8"}]', 'error layers.0.keep: found "int8" → "float" @ "int8"'],
    ['"data": {"samples": 3}', 'error data.source: missing → this key @ {"samples": 3}'],
    [
      '"data": {"source": "x", "scale": "1/0"}',
      'error data.scale: found "1/0" → a number other than 0 @ "1/0"',
    ],
    [
      '"data": {"source": "x", "scale": "half"}',
      'error data.scale: found "half" → a number or a fraction such as "1/255" @ "half"',
    ],
    [
      '"data": {"source": "x", "std": [1, 0]}',
      'error data.std: found an array → a positive number or one per channel @ [1, 0]',
    ],
    [
      '"data": {"source": "x", "samples": 1.5}',
      'error data.samples: found 1.5 → a whole number of samples, at least 1 @ 1.5',
    ],
    ['"goal": {"accuracyDrop": 2}', 'error goal.accuracyDrop: found 2 → a fraction between 0 and 1 @ 2'],
    ['"gates": {"bytes": "400k"}', 'error gates.bytes: found "400k" → a number of bytes @ "400k"'],
    [
      '"model": 3',
      'warning model: declared twice, the last one counts → one @ "model"',
      'error model: found 3 → the path of a model @ 3',
    ],
  ])('%s', checkProblems);

  it('an unknown method lists the known ones', () => {
    expect(problems('{"model": "m", "methods": ["gptc"]}')[0]).toMatch(
      /^error methods\.0: found "gptc" → one of fold-batchnorm, .*gptq/,
    );
    expect(problems('{"model": "m", "methods": [{"nam": "gptq"}]}')[0]).toMatch(
      /^error methods\.0: found an object → /,
    );
  });

  it('rules that contradict themselves or say nothing are warnings', () => {
    checkProblems(
      '"layers": [{"match": "a"}]',
      'warning layers.0: changes nothing → weights, activations or keep @ "a"',
    );
    checkProblems(
      '"layers": [{"match": "a", "keep": "float", "weights": "int8"}]',
      'warning layers.0.keep: excludes weights and activations → either keep or formats @ "int8"',
    );
  });

  it('a recipe without a model is a warning: the command line may name one', () => {
    expect(problems('{}')).toEqual(['warning model: missing → the path of a model @ {']);
  });

  it('one bad value leaves the rest usable, and rules keep their place', () => {
    const { recipe, spans } = parseRecipe(
      '{"model": 1, "layers": [{"weights": "int8"}, {"match": "b", "weights": "int99", "activations": "float"}], "default": {"weights": "int8", "estimator": "x"}}',
    );
    expect(recipe).toEqual({
      default: { weights: 'int8' },
      layers: [{ match: 'b', activations: 'float' }],
      methods: [],
    });
    expect(spans.rules.map(({ index }) => index)).toEqual([1]);
  });

  it.each([
    ['', 'error value expected @ '],
    ['{"model": "m" "output": "o"}', 'error comma expected @ "output"'],
    ['{"model": }', 'error value expected @ }'],
    ['[1]', 'error the top level is not an object @ [1]'],
    ['{"model": "m"', 'error close brace expected @ '],
    ['// only a comment', 'error value expected @ '],
  ])('%j', (text, expected) => {
    expect(problems(text)).toContain(expected);
  });

  it('half a recipe is still read', () => {
    expect(parseRecipe('{"model": "m", "layers": [{"match": "fc", "weights": ').recipe).toMatchObject({
      model: 'm',
      layers: [{ match: 'fc' }],
    });
  });

  it('hostile texts end in one issue', () => {
    expect(problems('['.repeat(100_000))[0]).toBe('error nested deeper than 64 levels @ [');
    expect(problems('{"a":'.repeat(100_000))[0]).toBe('error nested deeper than 64 levels @ {');
    expect(problems(' '.repeat(17 << 20))[0]).toMatch(/^error larger than 16 MB/);
    expect(parseRecipe(`{${'"x": 1, '.repeat(10_000)}}`).issues).toHaveLength(200);
    expect(recipeLocation('['.repeat(100_000), 5).path).toEqual([]);
  });
});

describe('where an offset stands', () => {
  const text = '{\n  "layers": [\n    { "match": "fc", "weights": "int8", "ke" }\n  ]\n}';
  it.each([
    ['"int8', ['layers', 0, 'weights'], false],
    ['"fc', ['layers', 0, 'match'], false],
    ['"weigh', ['layers', 0, 'weights'], true],
    ['"ke', ['layers', 0, 'ke'], true],
    ['"lay', ['layers'], true],
  ])('behind %s', (piece, path, atKey) => {
    const location = recipeLocation(text, text.indexOf(piece) + piece.length);
    expect(location).toMatchObject({ path, atKey });
    expect(location.span && text.slice(...location.span)).toContain(piece);
  });
});

describe('a new recipe', () => {
  it('reads back without issues and says how to go on', () => {
    const text = newRecipe({
      model: 'a "b".onnx',
      output: 'o.onnx',
      layers: [{ match: 'fc', keep: 'float' }],
      methods: ['equalize'],
    });
    expect(problems(text)).toEqual([]);
    expect(text.startsWith('//')).toBe(true);
    expect(parseRecipe(text).recipe).toMatchObject({
      model: 'a "b".onnx',
      target: 'ort-cpu',
      data: { source: 'synthetic', preset: 'default', samples: 128 },
      default: { weights: 'int8.channel', activations: 'uint8.tensor', estimator: 'mse' },
      layers: [{ match: 'fc', keep: 'float' }],
      methods: [{ name: 'equalize', options: {} }],
    });
  });
});
