/** AIMET encodings and onnxruntime overrides: files as their documentation prints them, and what is none. */
import { describe, expect, it } from 'vitest';
import {
  type AimetFile,
  aimetVersions,
  readAimet,
  writeAimet,
} from '../../../../server/src/engine/format/aimet-encodings';
import { encodingRange, type TensorEncoding } from '../../../../server/src/engine/format/encodings';
import { writeOrtOverrides } from '../../../../server/src/engine/format/ort-overrides';
import { parametersFor } from '../../../../server/src/engine/numerics/affine';

const activation: TensorEncoding = {
  name: 'relu',
  bits: 8,
  signed: false,
  symmetric: false,
  scales: [Math.fround(0.02)],
  zeroPoints: [41],
};
const channels: TensorEncoding = {
  name: 'conv.weight',
  bits: 8,
  signed: true,
  symmetric: true,
  scales: [Math.fround(0.01), 0.5],
  zeroPoints: [0, 0],
  channelAxis: 0,
};
const blocks: TensorEncoding = {
  name: 'matmul.weight',
  bits: 4,
  signed: true,
  symmetric: true,
  scales: [1, 2, 3, 4, 5, 6],
  zeroPoints: [0, 0, 0, 0, 0, 0],
  channelAxis: 1,
  block: { axis: 0, size: 32, count: 3 },
};

function read(file: object): AimetFile {
  const { value, issues } = readAimet(JSON.stringify(file), 'model.encodings');
  expect(issues).toEqual([]);
  if (value === undefined) throw new Error('no value');
  return value;
}

describe('reading', () => {
  it('0.4 and 0.6.1: lists per tensor, flags in words, offsets below zero', () => {
    const legacy = {
      bitwidth: 8,
      is_symmetric: 'False',
      max: 2.6086959838867188,
      min: -2.109158515930176,
      offset: -114.0,
      scale: 0.018501389771699905,
    };
    const { version, activations, parameters, skipped } = read({
      activation_encodings: {
        '20': [legacy],
        half: [{ bitwidth: 16, dtype: 'float' }],
        tensorflow: [{ ...legacy, offset: 11 }],
      },
      param_encodings: {
        w: [
          { ...legacy, is_symmetric: 'True', offset: -128 },
          { ...legacy, is_symmetric: 'True', offset: -128, scale: 0.5 },
        ],
      },
    });
    expect(version).toBe('0.4.0');
    expect(skipped).toEqual(['half', 'tensorflow']);
    expect(activations).toMatchObject([{ name: '20', bits: 8, signed: false, zeroPoints: [114] }]);
    const [range] = activations.map((one) => encodingRange(one));
    expect(range?.min).toBeCloseTo(legacy.min, 6);
    expect(range?.max).toBeCloseTo(legacy.max, 6);
    expect(parameters).toMatchObject([
      { name: 'w', signed: true, symmetric: true, zeroPoints: [0, 0], channelAxis: 0 },
    ]);
  });

  it('1.0.0: lists of tensors', () => {
    const entry = { name: 'x', enc_type: 'PER_TENSOR', dtype: 'INT', bw: 16, is_sym: false };
    const { activations, skipped } = read({
      version: '1.0.0',
      activation_encodings: [
        { ...entry, scale: [0.25], offset: [-32768] },
        { name: 'f', enc_type: 'PER_TENSOR', dtype: 'FLOAT', bw: 16 },
        { ...entry, name: 'b', enc_type: 'PER_BLOCK', block_size: 32, scale: [1, 1], offset: [-8, -8] },
      ],
      param_encodings: [],
      excluded_layers: [],
    });
    expect(activations).toEqual([
      {
        name: 'x',
        bits: 16,
        signed: false,
        symmetric: false,
        scales: [0.25],
        zeroPoints: [32768],
      },
    ]);
    expect(skipped).toEqual(['f', 'b']);
  });

  it('2.0.0: the examples of its documentation', () => {
    const block = {
      name: 'block',
      y_scale: [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      axis: 1,
      block_size: 32,
      output_dtype: 'int4',
    };
    const { activations, parameters, skipped } = read({
      version: '2.0.0',
      encodings: [
        { name: 'tensor', y_scale: 0.5, y_zero_point: 41, output_dtype: 'uint8' },
        { name: 'channel', y_scale: [1, 2, 3], y_zero_point: [0, 0, 0], axis: 0, output_dtype: 'int8' },
        block,
        { name: 'grid', y_scale: [1], y_zero_point: [-0.5], axis: 0, output_dtype: 'int2' },
        { name: 'low', per_block_int_scale: [[1]], per_channel_float_scale: [[1]], output_dtype: 'int4' },
        {
          name: 'double',
          y_scale: { x: [[3]], x_scale: [1] },
          axis: 1,
          block_size: 32,
          output_dtype: 'int4',
        },
        { name: 'float', y_scale: 1, output_dtype: 'float8e4m3fn' },
      ],
    });
    expect(activations).toMatchObject([{ name: 'tensor', zeroPoints: [41], scales: [0.5] }]);
    expect(parameters).toMatchObject([
      { name: 'channel', scales: [1, 2, 3], channelAxis: 0, symmetric: true },
      { name: 'block', scales: [1, 2, 3, 4, 5, 6], channelAxis: 0, block: { axis: 1, size: 32, count: 2 } },
    ]);
    expect(skipped).toEqual(['grid', 'low', 'double', 'float']);
  });
});

describe('what is none', () => {
  it.each([
    ['not JSON', '{', 'not JSON'],
    ['a list', '[]', 'not an object'],
    ['something else', '{"relu": []}', 'neither activation_encodings nor encodings'],
    [
      'a wrong type',
      '{"activation_encodings": {"x": [{"bitwidth": "8"}]}}',
      'activation_encodings.x.0.bitwidth',
    ],
    ['a scale of zero', '{"activation_encodings": {"x": [{"bitwidth": 8, "scale": 0}]}}', 'x.0.scale'],
    ['no encoding', '{"activation_encodings": {"x": []}}', 'activation_encodings.x'],
    ['the other version', '{"version": "1.0.0", "activation_encodings": {}}', 'activation_encodings'],
    ['a name that is no text', '{"version": "2.0.0", "encodings": [{"name": 3}]}', 'encodings.0.name'],
  ])('%s', (_name, text, reason) => {
    const { value, issues } = readAimet(text, 'f.json');
    expect(value).toBeUndefined();
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatchObject({ code: 'format-damaged', anchor: { path: 'f.json' } });
    expect(JSON.stringify(issues)).toContain(reason);
  });

  it('a version that is not known', () => {
    expect(readAimet('{"version": "9.1.0", "encodings": []}', 'f.json').issues).toMatchObject([
      { code: 'unsupported-feature', facts: { what: 'AIMET encodings version 9.1.0' } },
    ]);
  });
});

describe('writing', () => {
  it.each(aimetVersions)('%s is read back', (version) => {
    const { text, leftOut } = writeAimet(
      { activations: [activation], parameters: [channels, blocks] },
      version,
    );
    const back = read(JSON.parse(text));
    expect(back.activations).toEqual([activation]);
    expect(back.parameters.filter((one) => one.block === undefined)).toEqual([channels]);
    if (version === '2.0.0') expect(back.parameters).toContainEqual(blocks);
    expect(leftOut).toEqual(version === '0.6.1' ? ['matmul.weight'] : []);
    expect(back.skipped).toEqual(version === '1.0.0' ? ['matmul.weight'] : []);
  });

  it('ranges give back scale and zero point', () => {
    const { min, max } = encodingRange(activation);
    expect(parametersFor({ min, max }, activation)).toMatchObject({
      scale: Math.fround(0.02),
      zeroPoint: 41,
    });
  });

  it('0.6.1 says min and max of all codes', () => {
    const { activation_encodings: side } = JSON.parse(
      writeAimet({ activations: [{ ...activation, scales: [0.5] }], parameters: [] }, '0.6.1').text,
    );
    expect(side.relu).toEqual([
      { bitwidth: 8, dtype: 'int', is_symmetric: 'False', min: -20.5, max: 107, offset: -41, scale: 0.5 },
    ]);
  });

  it('blocks of a (K, N) matrix stand as rows of K', () => {
    const [entry] = JSON.parse(writeAimet({ activations: [], parameters: [blocks] }, '2.0.0').text).encodings;
    expect(entry).toEqual({
      name: 'matmul.weight',
      y_scale: [
        [1, 4],
        [2, 5],
        [3, 6],
      ],
      axis: 0,
      block_size: 32,
      output_dtype: 'int4',
    });
  });

  it('onnxruntime overrides name a type only where it is not the usual one', () => {
    const wide = { ...activation, name: 'wide', bits: 16, zeroPoints: [40_000] };
    const narrow = { ...channels, name: 'narrow', bits: 3 };
    const { text, leftOut } = writeOrtOverrides({
      activations: [{ ...activation, scales: [0.5] }, wide],
      parameters: [{ ...channels, scales: [0.25, 0.5] }, narrow, blocks],
    });
    const overrides = JSON.parse(text);
    expect(overrides.relu).toEqual([{ scale: 0.5, zero_point: 41 }]);
    expect(overrides['conv.weight']).toEqual([
      { axis: 0, scale: 0.25, zero_point: 0 },
      { axis: 0, scale: 0.5, zero_point: 0 },
    ]);
    expect(overrides.wide).toMatchObject([{ quant_type: 'QUInt16', zero_point: 40_000 }]);
    expect(overrides.narrow).toMatchObject([{ quant_type: 'QInt4' }, { quant_type: 'QInt4' }]);
    expect(leftOut).toEqual(['matmul.weight']);
  });
});
