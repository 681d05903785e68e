// @ts-check
// Installs what is missing and runs every check of the project, or the named stages and what they need.
// Usage: npm test [-- STAGE…]. Ends with the line "N passed, N failed"; the exit code is 0 only without failures.
// A stage without tests of its own adds nothing when it passes and one failure when it does not.
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { ensureDependencies } from './lib/install.mjs';
import { ideRunsHere, root } from './lib/paths.mjs';
import { runNode } from './lib/processes.mjs';
import { Failure, runMain, say, seconds } from './lib/say.mjs';
import { forgetVerdict, readVerdict } from './lib/verdict.mjs';
import { setupIde } from './setup-ide.mjs';

/**
 * @typedef {import('./lib/verdict.mjs').Verdict} Verdict
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} about
 * @property {readonly string[]} [needs] stages that must have passed before
 * @property {() => Promise<Verdict | undefined>} run undefined when it does not apply to this system
 */

const artifacts = path.join(root, 'test/artifacts');

/** In the order in which they run. */
const stages = /** @type {readonly Stage[]} */ ([
  {
    name: 'lint',
    about: 'format and lint',
    run: () => check(['node_modules/@biomejs/biome/bin/biome', 'check', '.']),
  },
  {
    name: 'types',
    about: 'types',
    run: () => check(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']),
  },
  { name: 'build', about: 'the programs and the editor tests', run: () => check(['esbuild.mjs']) },
  { name: 'unit', about: 'unit, property, golden, language server, fuzz', needs: ['build'], run: unitTests },
  { name: 'mutants', about: 'seeded faults that the tests must notice', run: mutants },
  { name: 'suite', about: 'inside the extension host of a VS Code', needs: ['build'], run: suite },
  { name: 'package', about: 'the VSIX', run: () => check(['scripts/package.mjs']) },
  { name: 'ui', about: 'what a user sees, on the installed VSIX', needs: ['package'], run: userInterface },
]);

await runMain(async () => {
  const chosen = choose(process.argv.slice(2));
  await mkdir(artifacts, { recursive: true });
  await ensureDependencies();
  const results = /** @type {Map<string, Verdict | undefined>} */ (new Map());
  const times = /** @type {Map<string, string>} */ (new Map());
  for (const stage of chosen) {
    const began = performance.now();
    process.stdout.write('\n');
    say(`${stage.name}: ${stage.about}`);
    const broken = stage.needs?.find((name) => results.get(name)?.failed);
    results.set(stage.name, broken ? failure(`not run, because ${broken} failed`) : await attempt(stage));
    times.set(stage.name, seconds(began));
  }
  return report(results, times);
});

/** The named stages with what they need, in order; all without names. @param {readonly string[]} names */
function choose(names) {
  const unknown = names.find((name) => !stages.some((stage) => stage.name === name));
  if (unknown !== undefined) {
    throw new Failure(`There is no stage ${unknown}. Stages: ${stages.map(({ name }) => name).join(' ')}.`);
  }
  const wanted = new Set(names.length > 0 ? names : stages.map(({ name }) => name));
  for (const stage of [...stages].reverse()) {
    if (wanted.has(stage.name)) for (const name of stage.needs ?? []) wanted.add(name);
  }
  return stages.filter(({ name }) => wanted.has(name));
}

/** @param {Stage} stage */
async function attempt(stage) {
  try {
    return await stage.run();
  } catch (error) {
    return failure(error instanceof Failure ? error.message : String(error));
  }
}

/** A command without tests of its own. @param {readonly string[]} args */
async function check(args) {
  const { code, timedOut } = await runNode(args, { cwd: root, limitSeconds: 300 });
  if (timedOut) return failure(`${args[0]} did not end within 300 s`);
  return code === 0 ? { passed: 0, failed: 0, failures: [] } : failure(`${args[0]} ended with code ${code}`);
}

async function unitTests() {
  const file = path.join(artifacts, 'unit.json');
  await rm(file, { force: true });
  const { code, timedOut } = await runNode(
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ],
    { cwd: root, env: { ...process.env, QUANTLENS_PREBUILT: '1' }, limitSeconds: 720 },
  );
  if (timedOut) return failure('the unit tests did not end within 720 s');
  const report = JSON.parse(await readFile(file, 'utf8').catch(() => '{"testResults":[]}'));
  const failures = /** @type {string[]} */ ([]);
  let passed = 0;
  for (const { name, status, message, assertionResults } of report.testResults) {
    const shortName = path.relative(root, name);
    const bad = assertionResults.filter((/** @type {{ status: string }} */ test) => test.status !== 'passed');
    passed += assertionResults.length - bad.length;
    for (const test of bad) failures.push(`${shortName}: ${test.fullName} (${test.status})`);
    if (status !== 'passed' && bad.length === 0) failures.push(`${shortName}: ${message}`);
  }
  if (passed + failures.length === 0) failures.push('no unit test ran');
  if (code !== 0 && failures.length === 0) failures.push(`vitest ended with code ${code}`);
  return { passed, failed: failures.length, failures };
}

function mutants() {
  return withVerdict('scripts/check-mutants.mjs', path.join(artifacts, 'mutants.json'));
}

async function suite() {
  if (ideRunsHere) await setupIde();
  return withVerdict('test/suite/run.mjs', path.join(artifacts, 'suite.json'));
}

async function userInterface() {
  if (!ideRunsHere) return undefined;
  await setupIde();
  return withVerdict('test/ui/run.mjs', path.join(artifacts, 'ui.json'));
}

/** Runs a script that leaves a verdict file. @param {string} script @param {string} file */
async function withVerdict(script, file) {
  await forgetVerdict(file);
  const { code, timedOut } = await runNode([script], {
    cwd: root,
    env: { ...process.env, QUANTLENS_VERDICT: file },
    limitSeconds: 660,
  });
  const verdict = await readVerdict(file);
  if (timedOut) return failure(`${script} did not end within 660 s`);
  if (code !== 0 && verdict.failed === 0) return failure(`${script} ended with code ${code}`);
  return verdict;
}

/**
 * Prints the failures, a line per stage and the sum; returns the exit code.
 * @param {Map<string, Verdict | undefined>} results
 * @param {Map<string, string>} times
 */
function report(results, times) {
  const lines = [''];
  for (const [name, verdict] of results) {
    for (const text of verdict?.failures ?? []) lines.push(`FAILED ${name}: ${text}`);
  }
  lines.push('', 'stage     passed  failed    time');
  for (const [name, verdict] of results) {
    const counts = verdict
      ? `${String(verdict.passed).padStart(6)}  ${String(verdict.failed).padStart(6)}`
      : ' not run here ';
    lines.push(`${name.padEnd(8)}  ${counts}  ${(times.get(name) ?? '').padStart(6)} s`);
  }
  const sum = (/** @type {'passed' | 'failed'} */ what) =>
    [...results.values()].reduce((total, verdict) => total + (verdict?.[what] ?? 0), 0);
  lines.push('', `${sum('passed')} passed, ${sum('failed')} failed`);
  process.stdout.write(`${lines.join('\n')}\n`);
  return sum('failed') === 0 ? 0 : 1;
}

/** @param {string} reason @returns {Verdict} */
function failure(reason) {
  return { passed: 0, failed: 1, failures: [reason] };
}
