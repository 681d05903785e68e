// @ts-check
// Do the tests bite? Applies each fault of test/mutants/faults.mjs to a copy of the sources and demands a red test.
// Usage: npm run test:mutants [-- WORD…]: only the faults whose name or file contains one of the words.
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { faults } from '../test/mutants/faults.mjs';
import { root } from './lib/paths.mjs';
import { runNode } from './lib/processes.mjs';
import { Failure, runMain, say, seconds } from './lib/say.mjs';
import { temporaryFolder } from './lib/temporary.mjs';
import { writeVerdict } from './lib/verdict.mjs';

/** @typedef {import('../test/mutants/faults.mjs').Fault} Fault */

/** What the tests of the faults need; node_modules is shared. */
const copied = [
  'server/src',
  'scripts',
  'test/unit',
  'test/property',
  'test/golden',
  'test/fixtures',
  'test/mutants',
];
const files = ['package.json', 'tsconfig.json'];
const lanes = 2;
const limitSeconds = 120;

await runMain(async () => {
  const words = process.argv.slice(2);
  const chosen = faults.filter(
    ({ name, file }) =>
      words.length === 0 || words.some((word) => name.includes(word) || file.includes(word)),
  );
  if (chosen.length === 0) throw new Failure(`no fault is about ${words.join(', ')}`);
  const began = performance.now();
  const scratch = await temporaryFolder();
  const copies = await Promise.all(
    Array.from({ length: lanes }, (_, lane) => copySources(path.join(scratch, `${lane}`))),
  );
  await checkUnchanged(copies[0] ?? scratch, chosen);
  const queue = [...chosen];
  const missed = (await Promise.all(copies.map((copy) => work(copy, queue)))).flat();
  if (process.env.QUANTLENS_VERDICT) {
    const failures = missed.map((fault) => `${fault.file}: ${fault.name} went unnoticed`);
    const passed = chosen.length - missed.length;
    await writeVerdict(process.env.QUANTLENS_VERDICT, { passed, failed: missed.length, failures });
  }
  say(`${chosen.length - missed.length} of ${chosen.length} faults noticed in ${seconds(began)} s`);
  return missed.length === 0 ? 0 : 1;
});

/** A copy of the sources to spoil. @param {string} to */
async function copySources(to) {
  await mkdir(to, { recursive: true });
  for (const name of [...copied, ...files])
    await cp(path.join(root, name), path.join(to, name), { recursive: true });
  await symlink(path.join(root, 'node_modules'), path.join(to, 'node_modules'), 'junction');
  return to;
}

/** A test that is red already proves nothing. @param {string} copy @param {readonly Fault[]} chosen */
async function checkUnchanged(copy, chosen) {
  const { code, output } = await runTests(copy, [...new Set(chosen.flatMap(({ tests }) => tests))]);
  if (code !== 0) throw new Failure(`the tests are red without any fault:\n${output}`);
}

/** Takes faults off the queue until it is empty; returns the missed. @param {string} copy @param {Fault[]} queue */
async function work(copy, queue) {
  const missed = /** @type {Fault[]} */ ([]);
  for (let fault = queue.shift(); fault !== undefined; fault = queue.shift()) {
    const noticed = await isNoticed(copy, fault);
    say(`${noticed ? 'noticed' : 'MISSED '}  ${fault.file}: ${fault.name}`);
    if (!noticed) missed.push(fault);
  }
  return missed;
}

/** @param {string} copy @param {Fault} fault */
async function isNoticed(copy, { name, file, from, to, tests }) {
  const target = path.join(copy, file);
  const source = await readFile(target, 'utf8');
  if (source.split(from).length !== 2) {
    throw new Failure(
      `"${name}": its piece of ${file} must occur exactly once; adapt test/mutants/faults.mjs`,
    );
  }
  await writeFile(
    target,
    source.replace(from, () => to),
  );
  try {
    const { code, output, timedOut } = await runTests(copy, tests);
    // A fault that keeps the tests from starting is no proof that one of them bites.
    if (code !== 0 && !timedOut && !/Tests .*failed/.test(output))
      throw new Failure(`"${name}" breaks the build:\n${output}`);
    return code !== 0;
  } finally {
    await writeFile(target, source);
  }
}

/** @param {string} copy @param {readonly string[]} tests */
function runTests(copy, tests) {
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  return runNode([vitest, 'run', '--bail', '1', '--config', 'test/mutants/vitest.config.ts', ...tests], {
    cwd: copy,
    env: { ...process.env, NO_COLOR: '1' },
    limitSeconds,
    output: 'collect',
  });
}
