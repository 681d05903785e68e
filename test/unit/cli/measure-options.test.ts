import { describe, expect, test } from 'vitest';
import { measureOptions } from '../../../server/src/cli/measure-options';

describe('--scheme of analyze', () => {
  test.each([
    [undefined, ['w8a8'], [], []],
    [['w8a8', 'int4.group32'], ['w8a8', 'int4.group32'], ['int4.group32'], []],
    [['nf4'], [], ['nf4'], ['nf4']],
    [['int4', 'logsqrt2.4', 'mxfp4'], ['int4'], ['logsqrt2.4', 'mxfp4'], ['logsqrt2.4', 'mxfp4']],
  ])('%j measures %j and shows the weight error of %j', (scheme, schemes, weightFormats, weightsOnly) => {
    const { value, issues } = measureOptions({ scheme });
    expect(issues).toEqual([]);
    expect(value).toMatchObject({ schemes, weightFormats, weightsOnly });
  });

  test.each([
    ['what the recipe plans where no scheme is named', undefined, 'f.quant.json', ['recipe']],
    ['both where they are named', ['recipe', 'w8a8'], 'f.quant.json', ['recipe', 'w8a8']],
    ['the scheme alone where it is named', ['int4'], 'f.quant.json', ['int4']],
  ])('measures %s', (_name, scheme, recipe, schemes) => {
    expect(measureOptions({ scheme, recipe }).value?.schemes).toEqual(schemes);
  });

  test('knows no recipe without one', () => {
    expect(measureOptions({ scheme: ['recipe'] }).issues).toMatchObject([{ code: 'scheme-unknown' }]);
  });

  test.each([['nf5'], ['nf4.channel'], ['fp8e4m3.group32']])('refuses %s', (name) => {
    expect(measureOptions({ scheme: [name] }).issues).toMatchObject([{ code: 'scheme-unknown' }]);
  });
});
