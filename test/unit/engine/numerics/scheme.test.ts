import { describe, expect, test } from 'vitest';
import {
  analysisFormatNames,
  floatFormatNames,
  integerBits,
} from '../../../../server/src/engine/base/format-names';
import {
  formatName,
  isLegal,
  parseActivationFormat,
  parseQuantScheme,
  parseScheme,
  parseWeightFormat,
  weightSchemeFor,
} from '../../../../server/src/engine/numerics/scheme';
import { standardWeightFormats } from '../../../../server/src/protocol/reports';

const int8Channel = { bits: 8, signed: true, symmetric: true, granularity: 'channel' };
const int4Group = { bits: 4, signed: true, symmetric: true, granularity: { group: 32 } };
const uint8Tensor = { bits: 8, signed: false, symmetric: false, granularity: 'tensor' };

describe('complete weight names', () => {
  test.each([
    ['int8.channel', int8Channel, 'int8.channel'],
    ['int8.channel.sym', int8Channel, 'int8.channel'],
    ['int8.channel.asym', { ...int8Channel, symmetric: false }, 'int8.channel.asym'],
    ['int4.group32', int4Group, 'int4.group32'],
    ['uint8.tensor', uint8Tensor, 'uint8.tensor'],
    ['uint8.tensor.asym', uint8Tensor, 'uint8.tensor'],
    ['uint8.tensor.sym', { ...uint8Tensor, symmetric: true }, 'uint8.tensor.sym'],
    ['int2.group65536', { ...int4Group, bits: 2, granularity: { group: 65536 } }, 'int2.group65536'],
    [
      'uint16.channel',
      { bits: 16, signed: false, symmetric: false, granularity: 'channel' },
      'uint16.channel',
    ],
  ])('%s', (text, scheme, canonical) => {
    const { value, issues } = parseQuantScheme(text);
    expect(issues).toEqual([]);
    expect(value).toEqual(scheme);
    expect(value && formatName(value)).toBe(canonical);
  });

  test.each([
    '',
    'int8',
    'int9.channel',
    'int1.tensor',
    'int8.row',
    'int4.group24',
    'int4.group8',
    'int4.group',
    'INT8.channel',
    'int8.channel.',
    'w8a8',
    'constructor',
    'toString',
  ])('refuses %j', (text) => {
    const { value, issues } = parseQuantScheme(text);
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'scheme-unknown', facts: { scheme: text }, severity: 'error' }]);
  });

  test('every standard format of reports is one', () => {
    for (const format of standardWeightFormats) {
      const { value } = parseQuantScheme(format);
      expect(value && formatName(value)).toBe(format);
    }
  });

  test.each([...floatFormatNames, ...analysisFormatNames])(
    '%s is known but not implemented, with a way on',
    (text) => {
      for (const parse of [parseQuantScheme, parseWeightFormat, parseScheme]) {
        const [issue] = parse(text).issues;
        expect(issue).toMatchObject({ code: 'not-implemented', facts: { what: `weights ${text}` } });
        if (issue?.code === 'not-implemented') expect(parseQuantScheme(issue.facts.next).issues).toEqual([]);
      }
    },
  );
});

describe('bare weight names', () => {
  test.each([
    ['int4', 'int4.group32', 'int4.channel'],
    ['uint4', 'uint4.group32', 'uint4.channel'],
    ['int8', 'int8.channel', 'int8.channel'],
    ['int3', 'int3.channel', 'int3.channel'],
    ['int4.channel', 'int4.channel', 'int4.channel'],
    ['int4.asym', 'int4.group32.asym', 'int4.channel.asym'],
  ])('%s is %s on MatMul and %s elsewhere', (text, matmul, other) => {
    const { value } = parseWeightFormat(text);
    expect(value?.name).toBe(text);
    expect(value && formatName(weightSchemeFor(value, 'matmul'))).toBe(matmul);
    expect(value && formatName(weightSchemeFor(value, 'other'))).toBe(other);
  });
});

describe('schemes', () => {
  test.each([
    ['w8a8', 'int8.channel', 'uint8.tensor'],
    ['w4a8', 'int4.channel', 'uint8.tensor'],
    ['w8a16', 'int8.channel', 'uint16.tensor'],
    ['int4', 'int4.channel', 'float'],
    ['uint8.tensor', 'uint8.tensor', 'float'],
  ])('%s = weights %s, activations %s', (text, weights, activations) => {
    const { value, issues } = parseScheme(text);
    expect(issues).toEqual([]);
    expect(value?.name).toBe(text);
    expect(value && formatName(value.weights.other)).toBe(weights);
    expect(value && (value.activations === 'float' ? 'float' : formatName(value.activations))).toBe(
      activations,
    );
  });

  test.each(['w9a8', 'w8a', 'w8a1', 'W8A8', 'float', 'w8a8 ', 'int8.channels'])('refuses %j', (text) => {
    expect(parseScheme(text)).toMatchObject({ value: undefined, issues: [{ code: 'scheme-unknown' }] });
  });
});

describe('activation formats', () => {
  test.each([
    ['float', 'float'],
    ['uint8.tensor', 'uint8.tensor'],
    ['uint8', 'uint8.tensor'],
    ['int16', 'int16.tensor'],
  ])('%s', (text, name) => {
    const { value } = parseActivationFormat(text);
    expect(value === undefined || value === 'float' ? value : formatName(value)).toBe(name);
  });

  test.each([
    ['int8.channel', 'not-implemented'],
    ['int8.group32', 'not-implemented'],
    ['fp8e4m3', 'not-implemented'],
    ['uint9', 'scheme-unknown'],
  ])('refuses %s: %s', (text, code) => {
    expect(parseActivationFormat(text)).toMatchObject({ value: undefined, issues: [{ code }] });
  });
});

test('legal combinations', () => {
  for (const bits of integerBits) {
    const scheme = { bits, signed: true, symmetric: true, granularity: { group: 64 } };
    expect(isLegal(scheme, 'weights')).toBe(true);
    expect(isLegal(scheme, 'activations')).toBe(false);
    expect(isLegal({ ...scheme, granularity: 'tensor' }, 'activations')).toBe(true);
  }
  for (const bits of [1, 9, 12, 32])
    expect(isLegal({ ...int8Channel, bits, granularity: 'channel' }, 'weights')).toBe(false);
  for (const group of [8, 24, 131_072]) {
    expect(isLegal({ ...int8Channel, granularity: { group } }, 'weights')).toBe(false);
  }
});
