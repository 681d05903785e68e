/** Scheme names, whose ranges fit which scheme, and what a recipe prefills. */
import { describe, expect, it } from 'vitest';
import { Calibrations } from '../../../client/src/calibrations';
import { calibrationDefaults, readRecipe } from '../../../client/src/recipe-defaults';
import { activationBits, defaultOutput, needsActivationRanges } from '../../../client/src/schemes';
import type { CalibrationRequest, CalibrationResult } from '../../../server/src/protocol/views';

describe('schemes', () => {
  it.each([
    ['w8a8', 8],
    ['w4a8', 8],
    ['w8a16', 16],
    ['int8', undefined],
    ['int4.group32', undefined],
    ['xw8a8', undefined],
  ])('%s has activations of %s bits', (scheme, bits) => {
    expect(activationBits(scheme)).toBe(bits);
    expect(needsActivationRanges(scheme)).toBe(bits !== undefined);
  });

  it.each([
    ['/m/net.onnx', 'w8a8', '/m/net.w8a8.onnx'],
    ['/m/net.v2.onnx', 'int4', '/m/net.v2.int4.onnx'],
    ['/m/net.onnxtxt', 'int8', '/m/net.int8.onnx'],
    ['/m.onnx/net', 'int8', '/m.onnx/net.int8.onnx'],
  ])('%s as %s is written to %s', (model, scheme, output) => {
    expect(defaultOutput(model, scheme)).toBe(output);
  });
});

describe('Calibrations', () => {
  const request: CalibrationRequest = {
    modelUri: 'file:///m/net.onnx',
    source: 'none',
    samples: 8,
    estimator: 'mse',
    scheme: 'w8a8',
    seed: 0,
  };
  const result: CalibrationResult = {
    state: 'done',
    samples: 8,
    seconds: 1,
    problems: [],
    layers: [],
    rangesPath: '/cache/ranges.json',
  };
  const calibrations = new Calibrations();
  calibrations.keep({ request, result });

  it('gives ranges for activations of the same width only', () => {
    expect(calibrations.rangesFor(request.modelUri, 'w8a8')).toBe('/cache/ranges.json');
    expect(calibrations.rangesFor(request.modelUri, 'w4a8')).toBe('/cache/ranges.json');
    expect(calibrations.rangesFor(request.modelUri, 'w8a16')).toBeUndefined();
    expect(calibrations.rangesFor(request.modelUri, 'int8')).toBeUndefined();
    expect(calibrations.rangesFor('file:///m/other.onnx', 'w8a8')).toBeUndefined();
  });

  it('forgets the ranges of a calibration that a later one without ranges replaced', () => {
    const later = new Calibrations();
    later.keep({ request, result });
    later.keep({ request, result: { ...result, rangesPath: undefined, state: 'failed' } });
    expect(later.rangesFor(request.modelUri, 'w8a8')).toBeUndefined();
  });
});

describe('calibrationDefaults', () => {
  const check = (recipe: string, expected: Partial<CalibrationRequest>) =>
    expect(calibrationDefaults(readRecipe(recipe), '/home/models')).toEqual(expected);

  it('reads data, preprocessing and estimator of a recipe with comments', () => {
    check(
      `// a comment
      { "data": { "source": "data/x.npy", "samples": 128, "scale": "1/255", "mean": [0.286], "std": [0.3, 0.4],
          "resize": 256, "crop": 224, "layout": "nhwc", "color": "bgr", },
        "default": { "estimator": "min-max" } }`,
      {
        source: '/home/models/data/x.npy',
        samples: 128,
        estimator: 'min-max',
        scale: '1/255',
        mean: '0.286',
        std: '0.3, 0.4',
        resize: 256,
        crop: 224,
        layout: 'nhwc',
        color: 'bgr',
      },
    );
  });

  it.each([
    ['none', 'none'],
    ['random', 'random'],
    ['synthetic', 'none'],
    ['synthetic:zeroq', 'none'],
    ['/data/images', '/data/images'],
    ['C:\\data', 'C:\\data'],
    ['images/', '/home/models/images/'],
  ])('source %s becomes %s', (source, expected) => {
    check(JSON.stringify({ data: { source } }), { source: expected });
  });

  it('leaves out what is of another type', () => {
    check(
      '{"data": {"source": 3, "samples": -1, "scale": [], "mean": ["a"], "layout": "x", "crop": 1.5}}',
      {},
    );
    check('{"data": []}', {});
    check('[]', {});
    check('', {});
    check('{"data": {"samples": 4', { samples: 4 });
  });
});
