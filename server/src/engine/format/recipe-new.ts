/** Text of a new recipe: every part of the contract that has a sensible start, with a comment on how to go on. */
import type { RecipeRule } from './recipe';

/** Paths are relative to the recipe, with forward slashes. */
export interface NewRecipe {
  readonly model: string;
  readonly output: string;
  /** Default `int8.channel`. */
  readonly weights?: string;
  /** Default `uint8.tensor`. */
  readonly activations?: string;
  /** Default `mse`. */
  readonly estimator?: string;
  /** Default: the data-free preset `default`, 128 samples. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly layers?: readonly RecipeRule[];
  readonly methods?: readonly string[];
}

/** A recipe that reads back without issues; `editRecipe` adds rules to it. */
export function newRecipe(options: NewRecipe): string {
  const weights = options.weights ?? 'int8.channel';
  const formats = {
    weights,
    activations: options.activations ?? 'uint8.tensor',
    estimator: options.estimator ?? 'mse',
  };
  const data = options.data ?? { source: 'synthetic', preset: 'default', samples: 128 };
  const rules = (options.layers ?? []).map((rule) => `\n    ${oneLine(rule)}`);
  return `// What each layer of the model becomes. Paths are relative to this file.
// "layers" holds rules by layer name: * stands for any characters, the last rule that matches wins, for example
//   { "match": "layer3.*", "weights": "int4.channel" }   or   { "match": "fc", "keep": "float" }
{
  "model": ${JSON.stringify(options.model)},
  "output": ${JSON.stringify(options.output)},
  "target": "ort-cpu",
  "data": ${oneLine(data)},
  "default": ${oneLine(formats)},
  "layers": [${rules.join(',')}${rules.length > 0 ? '\n  ' : ''}],
  "methods": ${oneLine(options.methods ?? [])}
}
`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{ ${members.map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`).join(', ')} }`;
}
