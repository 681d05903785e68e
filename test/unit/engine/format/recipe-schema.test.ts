/** The shipped JSON schema and the types the reader uses are two declarations of one thing. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import {
  activationFormatPattern,
  estimatorPattern,
  isActivationFormatName,
  isWeightFormatName,
  parseEstimatorName,
  weightFormatPattern,
} from '../../../../server/src/engine/base/format-names';
import { recipeSchema } from '../../../../server/src/engine/format/recipe-schema';

const shipped: unknown = JSON.parse(readFileSync('schemas/quant.schema.json', 'utf8'));

describe('schemas/quant.schema.json', () => {
  it('says what the reader checks; on a difference the expected text is in the failure', () => {
    const derived = z.toJSONSchema(recipeSchema, { io: 'input', target: 'draft-7' });
    expect(without('patternErrorMessage', shipped)).toEqual({
      ...derived,
      title: 'Quantlens recipe',
      description: 'What each layer of a neural network becomes when it is quantized.',
      allowComments: true,
      allowTrailingCommas: true,
    });
  });
});

describe('every pattern a user can get wrong', () => {
  it('has words of its own, which VS Code shows instead of the pattern', () => {
    const missing = objectsOf(shipped)
      .filter((one) => typeof one.pattern === 'string')
      .filter((one) => !/^Expected .+\.$/.test(String(one.patternErrorMessage)));
    expect(missing).toEqual([]);
    expect(objectsOf(shipped).some((one) => typeof one.pattern === 'string')).toBe(true);
  });
});

/** All objects inside a JSON value, outermost first. */
function objectsOf(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.values(value).flatMap(objectsOf);
  return Array.isArray(value) ? inside : [value as Record<string, unknown>, ...inside];
}

/** The value without one key, wherever it stands. */
function without(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => without(key, one));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => name !== key);
  return Object.fromEntries(kept.map(([name, one]) => [name, without(key, one)]));
}

describe('patterns of names', () => {
  const names = [
    'int8',
    'int4.group32',
    'uint8.tensor',
    'int8.channel.asym',
    'int16.tensor.sym',
    'int3',
    'float',
    'fp8e4m3',
    'mxfp4',
    'nf4',
    'kmeans4',
    'pow2.int8',
    'int9',
    'int1',
    'int8.group16',
    'int8.group24',
    'int8.group8',
    'int8.',
    'Int8',
    '',
    'int8.channel.sym.sym',
    'int4.group131072',
    'uint16',
    'w8a8',
    'lq2',
    'binary',
    'logsqrt2.4',
    'logsqrt2x4',
    'int8.asym',
  ];
  it.each(names)('%s is judged alike by pattern and by code', (name) => {
    expect(new RegExp(weightFormatPattern).test(name)).toBe(isWeightFormatName(name));
    expect(new RegExp(activationFormatPattern).test(name)).toBe(isActivationFormatName(name));
  });

  it.each([
    ['mse', true],
    ['percentile', true],
    ['percentile:99.99', true],
    ['percentile:100', true],
    ['percentile:40', false],
    ['percentile:', false],
    ['percentile:101', false],
    ['lp:2.4', true],
    ['lp:0', false],
    ['mse:2', false],
    ['minmax', false],
  ])('estimator %s: %s', (name, valid) => {
    expect(parseEstimatorName(name) !== undefined).toBe(valid);
    // The pattern may take numbers that only the code refuses, never the other way round.
    if (valid) expect(name).toMatch(new RegExp(estimatorPattern));
  });
});
