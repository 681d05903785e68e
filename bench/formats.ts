/**
 * Times every weight format on 10 M Gaussian parameters, in both layouts of a matrix: `npx vite-node bench/formats.ts
 * [NAME …]`. Prints milliseconds of processor time, the better of two runs; a whole model must be instant.
 */
import { levelFormats } from '../server/src/engine/numerics/level-formats';
import { createRandom, normalArray } from '../server/src/engine/numerics/random';
import { weightErrors } from '../server/src/engine/numerics/weight-error';

const ROWS = 2500;
const COLUMNS = 4000;
const RUNS = 2;

const integers = [2, 3, 4, 5, 6, 7, 8, 16].flatMap((bits) =>
  ['tensor', 'channel', 'group16', 'group256'].flatMap((scope) => [
    `int${bits}.${scope}`,
    `int${bits}.${scope}.asym`,
  ]),
);
const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : [...integers, ...levelFormats.map(({ name }) => name)];
const data = normalArray(createRandom(1), ROWS * COLUMNS);

for (const name of names) {
  const times = [0, 1].map((axis) => {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run++) {
      const start = process.cpuUsage();
      const { value, issues } = weightErrors(data, [ROWS, COLUMNS], axis, [name]);
      if (value === undefined) throw new Error(`${name}: ${JSON.stringify(issues)}`);
      const { user, system } = process.cpuUsage(start);
      best = Math.min(best, (user + system) / 1e3);
    }
    return best;
  });
  console.log(`${name.padEnd(20)} axis 0 ${times[0]?.toFixed(0)} ms, last axis ${times[1]?.toFixed(0)} ms`);
}
