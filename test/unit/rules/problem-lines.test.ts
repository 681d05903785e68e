/** Lines beside a report: each once, the first few of what repeats, in the order of the kinds. */
import { expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import { problemLines } from '../../../server/src/rules/problem-lines';
import { line } from '../../../server/src/rules/words';

const masked = (block: number) =>
  issue('activation-not-finite', { tensor: `block.${block}`, count: 3, share: 0.5 });
const assumed = issue('dimension-assumed', { dimension: 'sequence', size: 16 });
const cancelled = issue('cancelled', {});

it('tells each line once, the first two of a kind, and how many are like them', () => {
  const blocks = [0, 1, 2, 3, 4].map(masked);
  const [first, second] = blocks.map(line);
  expect(problemLines([masked(0), assumed, ...blocks, assumed, cancelled])).toEqual([
    first,
    `${second} (3 more like it.)`,
    line(assumed),
  ]);
});

it('counts nothing where nothing is left out', () => {
  expect(problemLines([masked(0), masked(1), masked(1)])).toEqual([masked(0), masked(1)].map(line));
  expect(problemLines([cancelled])).toEqual([]);
});
