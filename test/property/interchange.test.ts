/** Laws of the files that carry quantizers to and from other tools. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { aimetVersions, readAimet, writeAimet } from '../../server/src/engine/format/aimet-encodings';
import { encodingRange, type TensorEncoding } from '../../server/src/engine/format/encodings';
import { parametersFor } from '../../server/src/engine/numerics/affine';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);

const scale = fc.float({ min: Math.fround(1e-6), max: Math.fround(1e4), noNaN: true }).map(Math.fround);
const scopes = fc.constantFrom<Partial<TensorEncoding>>({}, { channelAxis: 0 });

/** An asymmetric unsigned activation, or a symmetric signed weight of several channels. */
const encoding = fc
  .record({
    name: fc.string({ minLength: 1 }),
    bits: fc.constantFrom(2, 4, 8, 16),
    scope: scopes,
    scales: fc.array(scale, { minLength: 2, maxLength: 5 }),
    zero: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ name, bits, scope, scales, zero }): TensorEncoding => {
    const own = scope.channelAxis === undefined ? scales.slice(0, 1) : scales;
    const symmetric = scope.channelAxis !== undefined;
    const zeroPoint = symmetric ? 0 : Math.round(zero * (2 ** bits - 1));
    return {
      name,
      bits,
      signed: symmetric,
      symmetric,
      scales: own,
      zeroPoints: own.map(() => zeroPoint),
      ...scope,
    };
  });

test.each(aimetVersions)('AIMET %s: what is written is read', (version) => {
  fc.assert(
    fc.property(fc.uniqueArray(encoding, { selector: ({ name }) => name }), (all) => {
      // "__proto__" as a key of an object literal is no key.
      const list = all.filter(({ name }) => name !== '__proto__');
      const activations = list.filter((one) => one.channelAxis === undefined);
      const parameters = list.filter((one) => one.channelAxis !== undefined);
      const { value } = readAimet(writeAimet({ activations, parameters }, version).text, '');
      const byName = (side: readonly TensorEncoding[] = []) =>
        Object.fromEntries(side.map((one) => [one.name, one]));
      expect(byName(value?.activations)).toEqual(byName(activations));
      expect(byName(value?.parameters)).toEqual(byName(parameters));
    }),
    { seed, numRuns: 200 },
  );
});

test('a range taken from an encoding gives the same quantizer', () => {
  fc.assert(
    fc.property(encoding, (one) => {
      if (one.symmetric) return;
      const { scale: found, zeroPoint } = parametersFor(encodingRange(one), one);
      expect(found).toBe(one.scales[0]);
      expect(zeroPoint).toBe(one.zeroPoints[0]);
    }),
    { seed, numRuns: 500 },
  );
});

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.object().map((one) => JSON.stringify({ activation_encodings: one })),
      ),
      (text) => {
        const { value, issues } = readAimet(text, 'x');
        expect(value !== undefined || issues.length === 1).toBe(true);
      },
    ),
    { seed, numRuns: 300 },
  );
});
