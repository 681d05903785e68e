/** What the *What if* block can choose: every name is a format that the engine measures. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWeightFormatName } from '../../../server/src/engine/base/format-names';
import { weightErrors } from '../../../server/src/engine/numerics/weight-error';
import {
  bitWidths,
  type Choice,
  choiceFrom,
  firstChoice,
  formatOf,
  formatsOf,
  granularities,
  groupSizes,
  otherFormats,
} from '../../../webview/src/model/what-if-choice';

const choices = fc.record({
  kind: fc.constantFrom('integer', ...otherFormats),
  bits: fc.constantFrom<number>(...bitWidths),
  granularity: fc.constantFrom(...granularities),
  group: fc.constantFrom<number>(...groupSizes),
  asymmetric: fc.boolean(),
}) satisfies fc.Arbitrary<Choice>;

describe('a choice', () => {
  it.each([
    [{}, 'int4.channel'],
    [{ bits: 5, granularity: 'group', group: 64, asymmetric: true }, 'int5.group64.asym'],
    [{ bits: 8, granularity: 'tensor', group: 16 }, 'int8.tensor'],
    [{ kind: 'nf4', bits: 8, asymmetric: true }, 'nf4'],
  ] as const)('%j is %s', (parts, format) => expect(formatOf({ ...firstChoice, ...parts })).toBe(format));

  it('always names a format that can be measured', () => {
    const weight = Float32Array.from({ length: 512 }, (_, index) => Math.sin(index));
    fc.assert(
      fc.property(choices, (choice) => {
        const formats = formatsOf(choice);
        expect(formats).toContain(formatOf(choice));
        expect(formats.filter((format) => !isWeightFormatName(format))).toEqual([]);
        expect(weightErrors(weight, [2, 256], 0, formats).issues).toEqual([]);
      }),
    );
  });

  it('is read back as it was remembered, and odd memories are repaired', () => {
    fc.assert(
      fc.property(choices, (choice) => {
        expect(choiceFrom(choice)).toEqual(choice);
      }),
    );
    const odd = { kind: 'vibes', bits: 99, group: -1, asymmetric: 'yes' };
    expect(choiceFrom(odd as unknown as Choice)).toEqual(firstChoice);
    expect(choiceFrom(undefined)).toEqual(firstChoice);
  });
});
