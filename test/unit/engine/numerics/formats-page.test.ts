import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { levelFormats } from '../../../../server/src/engine/numerics/level-formats';
import { estimators } from '../../../../server/src/engine/numerics/ranges';

test('docs/formats.md has one row per format, with its bits and block', () => {
  const page = readFileSync(path.resolve(__dirname, '../../../../docs/formats.md'), 'utf8');
  const rows = page.split('\n').flatMap((line) => {
    const [name, bits, , block, , use] = line
      .split(/(?<!\\)\|/)
      .slice(1)
      .map((cell) => cell.trim());
    return use === 'analysis only' ? [`${name} ${bits} ${block}`] : [];
  });
  const expected = levelFormats.map(({ name, bits, granularity }) => {
    return `\`${name}\` ${bits} ${typeof granularity === 'string' ? granularity : granularity.group}`;
  });
  expect(rows).toEqual(expected);
  for (const { name } of estimators) expect(page).toMatch(new RegExp(`^\\|.*\`${name}[\`\\[]`, 'm'));
});

test('docs/formats.md names every known answer that is tested', () => {
  const read = (file: string) => readFileSync(path.resolve(__dirname, '../../../..', file), 'utf8');
  const tested = [...read('test/golden/paper-oracles.test.ts').matchAll(/^ {4}number: (\d+),$/gm)].map(
    ([, number]) => Number(number),
  );
  const [, section = ''] = read('docs/formats.md').split('## Known answers');
  const [table = ''] = section.split('\n## ');
  const listed = [...table.matchAll(/^\| ([\d, ]+) \|/gm)].flatMap(([, numbers = '']) =>
    numbers.split(', ').map(Number),
  );
  expect(tested.length).toBeGreaterThan(20);
  expect(listed.sort((a, b) => a - b)).toEqual(tested);
});
