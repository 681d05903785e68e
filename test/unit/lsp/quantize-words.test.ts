/** What is said first of a written file. */
import { expect, it } from 'vitest';
import { lost } from '../../../server/src/lsp/commands/quantize';

it.each([
  [null, ''],
  [33.1, ''],
  [10, ''],
  [9.2, 'The output is badly distorted (9.2 dB). '],
  [0.1, 'The output is destroyed (0.1 dB). '],
  [-4, 'The output is destroyed (-4.0 dB). '],
])('an output of %s dB', (sqnr, words) => {
  expect(lost(sqnr)).toBe(words);
});
