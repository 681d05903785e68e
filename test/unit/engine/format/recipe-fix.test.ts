/** Every remedy changes what it says and nothing else, and applied twice changes no more. */
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../../server/src/engine/format/recipe';
import { editRecipeAll } from '../../../../server/src/engine/format/recipe-edit';
import { fixEdits } from '../../../../server/src/engine/format/recipe-fix';
import { chooseLayer } from '../../../../server/src/engine/format/recipe-match';
import type { FixKind } from '../../../../server/src/protocol/reports';

const start = `// kept
{ "model": "m.onnx",
  "default": {"weights": "int4.tensor", "activations": "int6.tensor", "estimator": "min-max"},
  "layers": [{"match": "blocks.*", "weights": "int3.channel", "activations": "uint4.tensor"}] // kept too
}
`;

function checkFix(fix: FixKind, layer: string | undefined, expected: readonly [string, string][]): void {
  const edited = editRecipeAll(start, fixEdits(fix, layer));
  const { recipe, issues } = parseRecipe(edited.text);
  expect(issues).toEqual([]);
  expect(edited.text.match(/\/\/ kept/g)).toHaveLength(2);
  const formats = ['stem', 'blocks.1', 'blocks.2'].map((name) => {
    const choice = recipe && chooseLayer(recipe, name);
    return [choice?.weights ?? '', choice?.activations ?? ''];
  });
  expect(formats).toEqual(expected);
  expect(editRecipeAll(edited.text, fixEdits(fix, layer)).edits).toEqual([]);
}

const stem: [string, string] = ['int4.tensor', 'int6.tensor'];
const block: [string, string] = ['int3.channel', 'uint4.tensor'];

describe('fixes of findings', () => {
  it.each<[FixKind, string | undefined, readonly [string, string][]]>([
    ['weights-8-bit', 'stem', [['int8.channel', 'int6.tensor'], block, block]],
    ['weights-8-bit', 'blocks.1', [stem, ['int8.channel', 'uint4.tensor'], block]],
    ['weights-8-bit', undefined, [['int8.channel', 'int6.tensor'], block, block]],
    ['activations-8-bit', 'blocks.2', [stem, block, ['int3.channel', 'uint8.tensor']]],
    ['activations-8-bit', undefined, [['int4.tensor', 'uint8.tensor'], block, block]],
    ['activations-16-bit', 'stem', [['int4.tensor', 'uint16.tensor'], block, block]],
    ['asymmetric-activations', 'stem', [['int4.tensor', 'uint6.tensor'], block, block]],
    ['asymmetric-activations', undefined, [['int4.tensor', 'uint6.tensor'], block, block]],
    ['per-channel-weights', 'stem', [['int4.channel', 'int6.tensor'], block, block]],
  ])('%s on %s', checkFix);

  it('estimator-mse changes the one estimator there is', () => {
    const { text } = editRecipeAll(start, fixEdits('estimator-mse', 'stem'));
    expect(parseRecipe(text).recipe?.default).toEqual({
      weights: 'int4.tensor',
      activations: 'int6.tensor',
      estimator: 'mse',
    });
  });
});
