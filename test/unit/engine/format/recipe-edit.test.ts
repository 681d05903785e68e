/** Edits of recipes: what changes, and what must stay as it was written. */
import { describe, expect, it } from 'vitest';
import { applyTextEdits } from '../../../../server/src/engine/format/json-edit';
import { parseRecipe } from '../../../../server/src/engine/format/recipe';
import { editRecipe, editRecipeAll, type RecipeEdit } from '../../../../server/src/engine/format/recipe-edit';
import { chooseLayer } from '../../../../server/src/engine/format/recipe-match';

const int4: RecipeEdit = { kind: 'set-rule', layer: 'fc', weights: 'int4', activations: 'float' };
const keep: RecipeEdit = { kind: 'keep-float', layer: 'fc' };

/** Applies an edit, compares the text, and applies it again: nothing may change any more. */
function checkEdit(before: string, edit: RecipeEdit, after: string): void {
  const edited = editRecipe(before, edit);
  expect(edited.text).toBe(after);
  expect(applyTextEdits(before, edited.edits)).toBe(after);
  expect(parseRecipe(after).issues.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(editRecipe(after, edit)).toEqual({ text: after, edits: [], issues: [] });
}

describe('a new rule', () => {
  it('goes behind all others, comments keep their place', () => {
    checkEdit(
      `{
  // what and where
  "model": "m.onnx",
  "layers": [
    { "match": "conv*", "weights": "int8" }, // convolutions
    { "match": "f*", "keep": "float" } // the head
    // end
  ]
}`,
      int4,
      `{
  // what and where
  "model": "m.onnx",
  "layers": [
    { "match": "conv*", "weights": "int8" }, // convolutions
    { "match": "f*", "keep": "float" }, // the head
    { "match": "fc", "weights": "int4", "activations": "float" }
    // end
  ]
}`,
    );
  });

  it.each([
    ['{}', '{\n  "layers": [\n    { "match": "fc", "keep": "float" }\n  ]\n}'],
    ['', '{\n  "layers": [\n    { "match": "fc", "keep": "float" }\n  ]\n}\n'],
    ['{ "layers": [] }', '{ "layers": [\n  { "match": "fc", "keep": "float" }\n] }'],
    ['{"layers":[{"match":"a"}]}', '{"layers":[{"match":"a"}, { "match": "fc", "keep": "float" }]}'],
    ['{"layers":[{"match":"a"},]}', '{"layers":[{"match":"a"}, { "match": "fc", "keep": "float" },]}'],
    [
      '{"layers": [\n\t{"match":"a"} /* x */ // y\n]}',
      '{"layers": [\n\t{"match":"a"}, /* x */ // y\n\t{ "match": "fc", "keep": "float" }\n]}',
    ],
    [
      '{"layers": [{"match":"a"} // y\n]}',
      '{"layers": [{"match":"a"}, // y\n{ "match": "fc", "keep": "float" }\n]}',
    ],
    [
      '{\r\n\t"model": "m"\r\n}',
      '{\r\n\t"model": "m",\r\n\t"layers": [\r\n\t\t{ "match": "fc", "keep": "float" }\r\n\t]\r\n}',
    ],
    [
      '{ "layers": [ // none yet\n ] }',
      '{ "layers": [\n // none yet\n { "match": "fc", "keep": "float" }\n] }',
    ],
  ])('in %j', (before, after) => checkEdit(before, keep, after));
});

describe('a rule that is there', () => {
  it.each([
    [
      '{"layers":[{"match":"fc","weights":"int8"}]}',
      int4,
      '{"layers":[{"match":"fc","weights":"int4", "activations": "float"}]}',
    ],
    ['{"layers":[{"match":"fc","weights":"int8"}]}', keep, '{"layers":[{"match":"fc","keep": "float"}]}'],
    [
      '{"layers":[{"match":"fc","keep":"float"}]}',
      int4,
      '{"layers":[{"match":"fc","weights": "int4", "activations": "float"}]}',
    ],
    [
      '{"layers":[{"weights":"int8","match":"fc","activations":"float"}]}',
      keep,
      '{"layers":[{"keep": "float","match":"fc"}]}',
    ],
    [
      '{"layers":[{\n  "match": "fc", // the head\n  "weights": "int8", // w\n  "activations": "float" // a\n}]}',
      keep,
      '{"layers":[{\n  "match": "fc", // the head\n  "keep": "float" // w\n   // a\n}]}',
    ],
    [
      '{"layers":[{"match":"fc","weights":"int4","activations":"uint8"}]}',
      { kind: 'set-rule', layer: 'fc', weights: 'int8' },
      '{"layers":[{"match":"fc","weights":"int8","activations":"uint8"}]}',
    ],
  ] as [string, RecipeEdit, string][])('%s', checkEdit);

  it('is left behind when a later pattern wins over it', () => {
    checkEdit(
      '{"layers":[{"match":"fc","weights":"int8"}, {"match":"*","weights":"int8"}]}',
      keep,
      '{"layers":[{"match":"fc","weights":"int8"}, {"match":"*","weights":"int8"}, { "match": "fc", "keep": "float" }]}',
    );
  });

  it('a pattern that happens to match is not the rule of the layer', () => {
    checkEdit(
      '{"layers":[{"match":"f?","weights":"int8"}]}',
      keep,
      '{"layers":[{"match":"f?","weights":"int8"}, { "match": "fc", "keep": "float" }]}',
    );
  });
});

describe('other edits', () => {
  it.each([
    [
      '{"default":{"weights":"int8.tensor"}}',
      { kind: 'per-channel', layer: 'fc' },
      '{"default":{"weights":"int8.tensor"}, "layers": [{ "match": "fc", "weights": "int8.channel" }]}',
    ],
    [
      '{"layers":[{"match":"f*","weights":"uint4.group32.asym","activations":"float"}]}',
      { kind: 'per-channel', layer: 'fc' },
      '{"layers":[{"match":"f*","weights":"uint4.group32.asym","activations":"float"}, { "match": "fc", "weights": "uint4.channel.asym", "activations": "float" }]}',
    ],
    [
      '{"default":{"weights":"int8"}}',
      { kind: 'set-default', weights: 'int4', estimator: 'mse' },
      '{"default":{"weights":"int4", "estimator": "mse"}}',
    ],
    ['{"methods":[]}', { kind: 'add-method', method: 'equalize' }, '{"methods":["equalize"]}'],
    [
      '{"methods":[{"name":"gptq"}]}',
      { kind: 'add-method', method: 'equalize' },
      '{"methods":[{"name":"gptq"}, "equalize"]}',
    ],
    [
      '{"methods":[{"name":"equalize"}]}',
      { kind: 'add-method', method: 'equalize' },
      '{"methods":[{"name":"equalize"}]}',
    ],
    ['{"output":"a"}', { kind: 'set', key: 'output', value: 'b' }, '{"output":"b"}'],
    ['{"output":"a","model":"m"}', { kind: 'set', key: 'output', value: undefined }, '{"model":"m"}'],
    ['{"model":"m","output":"a"}', { kind: 'set', key: 'output', value: undefined }, '{"model":"m"}'],
    ['{"output":"a"}', { kind: 'set', key: 'output', value: undefined }, '{}'],
    [
      '{"model":"m"}',
      { kind: 'set', key: 'data', value: { source: 'x', mean: [1, 2] } },
      '{"model":"m", "data": { "source": "x", "mean": [1, 2] }}',
    ],
  ] as [string, RecipeEdit, string][])('%s', checkEdit);

  it('names with pattern characters are escaped, so that the rule means the layer', () => {
    const layer = 'block[0].w*';
    const { text } = editRecipe('{}', { kind: 'keep-float', layer });
    const { recipe } = parseRecipe(text);
    expect(recipe && chooseLayer(recipe, layer).keep).toBe(true);
    expect(recipe && chooseLayer(recipe, 'block0.wx').keep).toBe(false);
  });

  it('a broken text is left alone and reported', () => {
    for (const text of ['{"layers": [', '[]', '{"a" "b"}']) {
      const edited = editRecipe(text, keep);
      expect(edited).toMatchObject({ text, edits: [] });
      expect(edited.issues.length).toBeGreaterThan(0);
    }
  });

  it('several edits make one change', () => {
    const before = '{\n  "model": "m", // here\n  "layers": []\n}';
    const { text, edits } = editRecipeAll(before, [keep, int4, { kind: 'add-method', method: 'equalize' }]);
    expect(edits).toHaveLength(1);
    expect(applyTextEdits(before, edits)).toBe(text);
    expect(parseRecipe(text).recipe).toMatchObject({
      layers: [{ match: 'fc', weights: 'int4', activations: 'float' }],
      methods: [{ name: 'equalize' }],
    });
    expect(editRecipeAll(before, []).edits).toEqual([]);
  });
});
