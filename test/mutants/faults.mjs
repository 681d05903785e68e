// @ts-check
// Seeded faults for scripts/check-mutants.mjs: each is applied to a copy of the sources, and at least one of its tests
// must turn red. A fault that nobody notices is a hole in the tests. At most 20 in all.

/**
 * @typedef {object} Fault
 * @property {string} name what is wrong with the code then
 * @property {string} file
 * @property {string} from a piece of the file that occurs exactly once
 * @property {string} to
 * @property {readonly string[]} tests files that must notice, the fewest that should
 */

const numerics = 'server/src/engine/numerics';
const unit = 'test/unit/engine/numerics';

/** @type {readonly Fault[]} */
export const faults = [
  {
    name: 'rounds ties up instead of to even',
    file: `${numerics}/affine.ts`,
    from: 'const rounded = x < 0 ? x - 2 ** 52 + 2 ** 52 : x + 2 ** 52 - 2 ** 52;',
    to: 'const rounded = Math.round(x);',
    tests: [`${unit}/affine.test.ts`],
  },
  {
    name: 'divides in float64 where onnxruntime divides in float32',
    file: `${numerics}/affine.ts`,
    from: 'roundHalfEven(Math.fround(x / scale)) + zeroPoint',
    to: 'roundHalfEven(x / scale) + zeroPoint',
    tests: [`${unit}/affine.test.ts`],
  },
  {
    name: 'symmetric codes reach −2^(b−1)',
    file: `${numerics}/affine.ts`,
    from: '{ min: 1 - half, max: half - 1 }',
    to: '{ min: -half, max: half - 1 }',
    tests: [`${unit}/affine.test.ts`],
  },
  {
    name: 'asymmetric ranges have 2^b steps instead of 2^b − 1',
    file: `${numerics}/affine.ts`,
    from: '(high - low) / (codeMax - codeMin)',
    to: '(high - low) / (codeMax - codeMin + 1)',
    tests: [`${unit}/affine.test.ts`],
  },
  {
    name: 'ranges are not relaxed to contain zero',
    file: `${numerics}/affine.ts`,
    from: 'const low = Math.min(range.min, 0);',
    to: 'const low = range.min;',
    tests: [`${unit}/affine.test.ts`],
  },
  {
    name: 'the quantizer of whole arrays clamps before it adds the zero point',
    file: `${numerics}/quantize-weight.ts`,
    from: 'Math.min(Math.max(quotient + ROUNDING_MAGIC - ROUNDING_MAGIC + zeroPoint, codeMin), codeMax)',
    to: 'Math.min(Math.max(quotient + ROUNDING_MAGIC - ROUNDING_MAGIC, codeMin), codeMax) + zeroPoint',
    tests: [`${unit}/quantize-weight.test.ts`],
  },
  {
    name: 'groups of a channel are counted down instead of up: the short one comes first',
    file: `${numerics}/layout.ts`,
    from: 'visit(channel * groups + index, channel, begin, end);',
    to: 'visit(channel * groups + groups - 1 - index, channel, begin, end);',
    tests: [`${unit}/layout.test.ts`],
  },
  {
    name: 'the outer dimensions are taken for the inner ones',
    file: `${numerics}/layout.ts`,
    from: 'const inner = product(shape.slice(axis + 1));',
    to: 'const inner = product(shape.slice(0, axis));',
    tests: [`${unit}/layout.test.ts`],
  },
  {
    name: 'nibbles are swapped',
    file: `${numerics}/pack.ts`,
    from: "return order === 'low-first' ? bytes : swapNibbles(bytes);",
    to: "return order === 'low-first' ? swapNibbles(bytes) : bytes;",
    tests: [`${unit}/pack.test.ts`],
  },
  {
    name: 'blocks beyond K are filled with code 0 instead of the value 0',
    file: `${numerics}/pack.ts`,
    from: ': zeroOf(column, block);',
    to: ': 0;',
    tests: [`${unit}/pack.test.ts`],
  },
  {
    name: 'scales of the packed weight are read across columns',
    file: `${numerics}/pack.ts`,
    from: 'result[group * channels + channel] = values[channel * groups + group] ?? 0;',
    to: 'result[channel * groups + group] = values[group * channels + channel] ?? 0;',
    tests: [`${unit}/pack.test.ts`],
  },
  {
    name: 'the kernels trust 1 / scale next to ties',
    file: `${numerics}/kernels/symmetric.ts`,
    from: 'margin: 0.5 - qmax * 2 ** -21',
    to: 'margin: 1',
    tests: [`${unit}/weight-error.test.ts`],
  },
  {
    name: 'the kernels use the scale of the tensor for every channel',
    file: `${numerics}/kernels/weight-sums.ts`,
    from: "const channels = granularity === 'channel' ? 1 : 0;",
    to: 'const channels = 0;',
    tests: [`${unit}/weight-error.test.ts`],
  },
  {
    name: 'SQNR is in bels of amplitude',
    file: `${numerics}/metrics.ts`,
    from: 'const decibel = 10 *',
    to: 'const decibel = 20 *',
    tests: [`${unit}/metrics.test.ts`],
  },
  {
    name: 'divergence is measured the other way round',
    file: `${numerics}/metrics.ts`,
    from: 'sum += Math.exp(logP) * (logP - ((y[i] ?? 0) - logY));',
    to: 'sum += Math.exp((y[i] ?? 0) - logY) * ((y[i] ?? 0) - logY - logP);',
    tests: [`${unit}/metrics.test.ts`],
  },
  {
    name: 'a histogram that grows forgets to merge bins',
    file: `${numerics}/stats.ts`,
    from: 'const shift = exponent - this.exponent;',
    to: 'const shift = 0;',
    tests: [`${unit}/stats.test.ts`],
  },
  {
    name: 'the percentile clips one tail only',
    file: `${numerics}/ranges/percentile.ts`,
    from: 'this.histogram.quantile((100 - this.percent) / 100)',
    to: 'this.histogram.quantile(0)',
    tests: [`${unit}/ranges.test.ts`],
  },
  {
    name: 'least-error ranges ignore what they clip',
    file: `${numerics}/ranges/histogram-error.ts`,
    from: 'if (power === 2) return count * distance * distance;',
    to: 'if (power === 2) return 0;',
    tests: [`${unit}/range-error-kernel.test.ts`],
  },
  {
    name: 'the divergence leaves out what a threshold clips',
    file: `${numerics}/ranges/entropy.ts`,
    from: 'const left = this.edge(from, start, firstQ);',
    to: 'const left = this.edge(from, 0, firstQ);',
    tests: [`${unit}/ranges-entropy.test.ts`],
  },
  {
    name: 'block scales keep the largest value below the largest element',
    file: `${numerics}/lowfloat.ts`,
    from: 'exponentOf(absMax) - exponentOf(element.max)',
    to: 'exponentOf(absMax) + 1 - exponentOf(element.max)',
    tests: [`${unit}/level-formats.test.ts`],
  },
];
