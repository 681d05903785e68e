import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EarlyChild } from '../../../../server/src/engine/runtime/early-child';
import {
  type JobOutcome,
  Pool,
  type PoolOptions,
  type RunOptions,
} from '../../../../server/src/engine/runtime/pool';
import type { FakeJob } from './fixtures/fake-child';

let folder = '';
let entry = '';
const pools: Pool[] = [];

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pool-test-'));
  entry = bundle('fake-child.ts');
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const pool of pools.splice(0)) pool.dispose();
  delete process.env.FAKE_CHILD_VERSION;
  delete process.env.FAKE_CHILD_ENDS_AT_START;
});

function bundle(name: string): string {
  const outfile = path.join(folder, `${path.basename(name, '.ts')}.cjs`);
  buildSync({
    entryPoints: [path.join(__dirname, 'fixtures', name)],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    logLevel: 'silent',
  });
  return outfile;
}

function makePool(options: Partial<PoolOptions> = {}): Pool {
  const pool = new Pool({ entry, version: 1, ...options });
  pools.push(pool);
  return pool;
}

function run<T = unknown>(
  pool: Pool,
  job: FakeJob,
  options: Partial<RunOptions> = {},
): Promise<JobOutcome<T>> {
  return pool.run<T>(job, { lane: 'native', label: job.kind, ...options });
}

/** The one issue of an outcome as `code` and its facts, so that a test reads as data. */
function said(outcome: JobOutcome<unknown>): unknown {
  expect(outcome.value).toBeUndefined();
  return outcome.issues.map((one) => [one.code, one.facts]);
}

/** Waits until a process has ended. One that nobody has reaped yet (state Z) has ended too. */
async function isGone(pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      process.kill(pid, 0);
      if (/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))) return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

describe('a child that was started before its pool', () => {
  test.each([
    ['still starting', 0],
    ['ready', 400],
  ])('serves the first job, and others follow (%s)', async (_, wait) => {
    const early = EarlyChild.start(entry);
    await new Promise((resolve) => setTimeout(resolve, wait));
    const pool = makePool({ early, children: { native: 2 } });
    const [first, second] = await Promise.all([run(pool, { kind: 'pid' }), run(pool, { kind: 'pid' })]);
    expect(first.value).toEqual(expect.any(Number));
    expect(new Set([first.value, second.value])).toEqual(new Set(pool.pids));
    expect((await run(pool, { kind: 'pid' })).value).toBeOneOf([first.value, second.value]);
  });

  test('that ended meanwhile, is told as one that does not start', async () => {
    process.env.FAKE_CHILD_ENDS_AT_START = '1';
    const early = EarlyChild.start(entry);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const outcome = await run(makePool({ early }), { kind: 'echo' });
    expect(said(outcome)).toEqual([['inference-unavailable', { reason: 'exit code 3' }]]);
  });

  test('that nobody needs, ends with the pool', async () => {
    const early = EarlyChild.start(entry);
    const { pid } = Reflect.get(early, 'process') as { pid: number };
    makePool({ early }).dispose();
    expect(await isGone(pid)).toBe(true);
  });
});

describe('results', () => {
  test('typed arrays, bigints, maps and missing values cross unchanged', async () => {
    const value = {
      floats: Float32Array.of(1.5, -0),
      big: 2n ** 60n,
      map: new Map([['a', [1, undefined]]]),
      nan: NaN,
    };
    const outcome = await run(makePool(), { kind: 'echo', value });
    expect(outcome.value).toEqual(value);
    expect(outcome.issues).toEqual([]);
  });

  test('issues of the job come back as they are', async () => {
    expect(said(await run(makePool(), { kind: 'refuse' }))).toEqual([['no-layers', {}]]);
  });

  test('an exception in the child is internal, its stack goes to the log', async () => {
    const lines: string[] = [];
    const pool = makePool({ log: (line) => lines.push(line) });
    expect(said(await run(pool, { kind: 'throw' }))).toEqual([['internal', { reason: 'our own bug' }]]);
    expect(lines.join('\n')).toMatch(/our own bug\n\s+at /);
  });

  test('progress and partial results arrive in order, the last ones always', async () => {
    const seen: number[] = [];
    const partials: unknown[] = [];
    const outcome = await run(
      makePool(),
      { kind: 'steps', value: 30 },
      { progress: (one) => seen.push(one.done), partial: (one) => partials.push(one) },
    );
    expect(outcome.value).toEqual({ done: 30 });
    expect(outcome.partial).toEqual({ done: 30 });
    expect(partials).toEqual(Array.from({ length: 30 }, (_, index) => ({ done: index + 1 })));
    expect(seen[0]).toBe(1);
    expect(seen.at(-1)).toBe(30);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test('standard output of the child goes nowhere, standard error to the log', async () => {
    const lines: string[] = [];
    const outcome = await run(makePool({ log: (line) => lines.push(line) }), { kind: 'shout' });
    expect(outcome.value).toBe('shouted');
    expect(lines).toEqual(['a native library complains']);
  });
});

describe('queue', () => {
  test('100 jobs run one after the other in one child, in order', async () => {
    const pool = makePool();
    const order: number[] = [];
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        run(pool, { kind: 'pid' }).then((outcome) => {
          order.push(index);
          return outcome.value;
        }),
      ),
    );
    expect(new Set(outcomes).size).toBe(1);
    expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  test('higher priority goes first, equal priority in order of arrival', async () => {
    const pool = makePool();
    const order: string[] = [];
    const add = (name: string, priority: number) =>
      run(pool, { kind: 'echo' }, { priority }).then(() => order.push(name));
    await Promise.all([
      add('running', 0),
      add('a', 0),
      add('b', 0),
      add('urgent', 5),
      add('late', -1),
      add('urgent2', 5),
    ]);
    expect(order).toEqual(['running', 'urgent', 'urgent2', 'a', 'b', 'late']);
  });

  test('lanes do not wait for each other', async () => {
    const pool = makePool();
    const stop = new AbortController();
    const blocked = run(pool, { kind: 'block', value: 20_000 }, { lane: 'native', signal: stop.signal });
    const quick = await run(pool, { kind: 'echo', value: 'quick' }, { lane: 'static' });
    expect(quick.value).toBe('quick');
    expect(pool.pids).toHaveLength(2);
    stop.abort();
    expect(said(await blocked)).toEqual([['cancelled', {}]]);
  });

  test('two children of a lane work at the same time', async () => {
    const pool = makePool({ children: { native: 2 } });
    const [a, b] = await Promise.all([run(pool, { kind: 'pid' }), run(pool, { kind: 'pid' })]);
    expect(a.value).not.toBe(b.value);
  });
});

describe('cancel', () => {
  test('a cooperative job stops between two steps, keeps its last partial, and the child lives on', async () => {
    const pool = makePool({ graceMilliseconds: 20_000 });
    const pid = (await run(pool, { kind: 'pid' })).value;
    const stop = new AbortController();
    const outcome = await run(
      pool,
      { kind: 'steps', value: 100_000 },
      { signal: stop.signal, partial: () => stop.abort() },
    );
    expect(said(outcome)).toEqual([['cancelled', {}]]);
    expect(outcome.partial).toMatchObject({ done: expect.any(Number) });
    expect((await run(pool, { kind: 'pid' })).value).toBe(pid);
  });

  test('a job that blocks is killed after the grace time; the partial is kept and the next job gets a new child', async () => {
    const pool = makePool({ graceMilliseconds: 100 });
    const pid = (await run<number>(pool, { kind: 'pid' })).value ?? 0;
    const stop = new AbortController();
    let abortedAt = 0;
    const outcome = await run(
      pool,
      { kind: 'block', value: 60_000 },
      {
        signal: stop.signal,
        partial: () => {
          abortedAt = performance.now();
          stop.abort();
        },
      },
    );
    // Not a speed test: the job alone would take a minute.
    expect(performance.now() - abortedAt).toBeLessThan(20_000);
    expect(performance.now() - abortedAt).toBeGreaterThan(90);
    expect(said(outcome)).toEqual([['cancelled', {}]]);
    expect(outcome.partial).toBe('before blocking');
    expect(await isGone(pid)).toBe(true);
    expect((await run(pool, { kind: 'echo', value: 1 })).value).toBe(1);
  });

  test('a waiting job is taken out of the queue, the running one is not touched', async () => {
    const pool = makePool();
    const stop = new AbortController();
    const first = run(pool, { kind: 'steps', value: 5 });
    const second = run(pool, { kind: 'echo' }, { signal: stop.signal });
    stop.abort();
    expect(said(await second)).toEqual([['cancelled', {}]]);
    expect((await first).value).toEqual({ done: 5 });
  });

  test('an aborted signal starts nothing', async () => {
    const pool = makePool();
    const outcome = await run(pool, { kind: 'echo' }, { signal: AbortSignal.abort() });
    expect(said(outcome)).toEqual([['cancelled', {}]]);
    expect(pool.pids).toEqual([]);
  });

  test('cancel while the child still starts answers at once and keeps the child', async () => {
    const pool = makePool();
    const stop = new AbortController();
    const first = run(pool, { kind: 'block', value: 60_000 }, { signal: stop.signal });
    const [pid] = pool.pids;
    stop.abort();
    expect(said(await first)).toEqual([['cancelled', {}]]);
    expect((await run(pool, { kind: 'pid' })).value).toBe(pid);
  });

  test('keepWarm starts the next child before it is asked for', async () => {
    const pool = makePool({ keepWarm: true, graceMilliseconds: 10 });
    const stop = new AbortController();
    await run(pool, { kind: 'block', value: 60_000 }, { signal: stop.signal, partial: () => stop.abort() });
    const [warm] = pool.pids;
    expect(warm).toBeDefined();
    expect((await run(pool, { kind: 'pid' })).value).toBe(warm);
  });
});

describe('death', () => {
  const signals = ['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGBUS'] as const;
  test.each(signals)(
    '%s of the child during a job is a crash with its name; the next job works',
    async (signal) => {
      const pool = makePool();
      const outcome = await run(pool, { kind: 'signal', value: signal });
      expect(said(outcome)).toEqual([['inference-crashed', { signal, during: 'signal' }]]);
      expect((await run(pool, { kind: 'echo', value: 'alive' })).value).toBe('alive');
    },
  );

  test('kill -9 from outside says what was being done and keeps the partial', async () => {
    const pool = makePool();
    let killed = false;
    const outcome = await run(
      pool,
      { kind: 'steps', value: 100_000 },
      {
        partial: () => {
          const [pid] = pool.pids;
          if (pid !== undefined && !killed) process.kill(pid, 'SIGKILL');
          killed = true;
        },
      },
    );
    expect(said(outcome)).toEqual([['inference-crashed', { signal: 'SIGKILL', during: 'steps (layer1)' }]]);
    expect(outcome.partial).toMatchObject({ done: expect.any(Number) });
  });

  test('an exit inside a job is a crash; waiting jobs run in a new child', async () => {
    const pool = makePool();
    const [dead, next] = await Promise.all([
      run(pool, { kind: 'exit' }),
      run(pool, { kind: 'echo', value: 2 }),
    ]);
    expect(said(dead)).toEqual([['inference-crashed', { signal: 'exit code 5', during: 'exit' }]]);
    expect(next.value).toBe(2);
  });

  test('a child that takes too much memory is ended', async () => {
    const outcome = await run(makePool({ memoryMegabytes: 300 }), { kind: 'eat' });
    expect(said(outcome)).toEqual([
      ['inference-crashed', { signal: 'memory limit of 300 MB', during: 'eat' }],
    ]);
  });

  test('another protocol version is refused', async () => {
    process.env.FAKE_CHILD_VERSION = '2';
    const outcome = await run(makePool(), { kind: 'echo' });
    expect(said(outcome)).toEqual([['inference-unavailable', { reason: 'protocol version 2, expected 1' }]]);
  });

  test('a child that ends at its start fails all waiting jobs once, and a later job tries again', async () => {
    process.env.FAKE_CHILD_ENDS_AT_START = '1';
    const pool = makePool();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => run(pool, { kind: 'echo' })));
    for (const outcome of outcomes) {
      expect(said(outcome)).toEqual([['inference-unavailable', { reason: 'exit code 3' }]]);
    }
    delete process.env.FAKE_CHILD_ENDS_AT_START;
    expect((await run(pool, { kind: 'echo', value: 'again' })).value).toBe('again');
  });

  test('an entry that does not exist is unavailable, not an exception', async () => {
    const outcome = await run(makePool({ entry: path.join(folder, 'missing.cjs') }), { kind: 'echo' });
    expect(said(outcome)).toEqual([['inference-unavailable', { reason: 'exit code 1' }]]);
  });

  test('a child that never answers the handshake is ended', async () => {
    const silent = path.join(folder, 'silent.cjs');
    fs.writeFileSync(silent, 'setInterval(() => {}, 1000);');
    const outcome = await run(makePool({ entry: silent, startMilliseconds: 300 }), { kind: 'echo' });
    expect(said(outcome)).toEqual([['inference-unavailable', { reason: 'did not start within 300 ms' }]]);
  });
});

describe('lifetime', () => {
  test('dispose ends running and waiting jobs and every child', async () => {
    const pool = makePool();
    await Promise.all([run(pool, { kind: 'pid' }), run(pool, { kind: 'pid' }, { lane: 'static' })]);
    const pids = [...pool.pids];
    const running = [run(pool, { kind: 'block', value: 60_000 }), run(pool, { kind: 'echo' })];
    pool.dispose();
    for (const outcome of await Promise.all(running)) expect(said(outcome)).toEqual([['cancelled', {}]]);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(await isGone(pid)).toBe(true);
    expect(said(await run(pool, { kind: 'echo' }))).toEqual([['cancelled', {}]]);
  });

  test('an idle child ends after a while and a new one takes its place', async () => {
    const pool = makePool({ idleMilliseconds: 50 });
    const pid = (await run<number>(pool, { kind: 'pid' })).value ?? 0;
    expect(await isGone(pid)).toBe(true);
    expect(pool.pids).toEqual([]);
    expect((await run(pool, { kind: 'pid' })).value).not.toBe(pid);
  });

  test('a program with an idle pool exits by itself', () => {
    const script = parentScript(
      'console.log(JSON.stringify((await pool.run({ kind: "echo", value: 7 }, options)).value));',
    );
    expect(execFileSync(process.execPath, [script], { timeout: 20_000, encoding: 'utf8' })).toBe('7\n');
  });

  test('children end when the parent is killed', async () => {
    const script = parentScript(
      'console.log((await pool.run({ kind: "pid" }, options)).value); setInterval(() => {}, 1000);',
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (data) => resolve(Number(data))),
    );
    parent.kill('SIGKILL');
    expect(await isGone(pid)).toBe(true);
  });
});

/** A small program around a pool, bundled for plain Node. */
function parentScript(body: string): string {
  const source = path.join(folder, `parent-${fs.readdirSync(folder).length}.ts`);
  const module = path.resolve(__dirname, '../../../../server/src/engine/runtime/pool');
  fs.writeFileSync(
    source,
    `import { Pool } from ${JSON.stringify(module)};
const pool = new Pool({ entry: ${JSON.stringify(entry)}, version: 1 });
const options = { lane: 'native', label: 'job' } as const;
void (async () => { ${body} })();`,
  );
  const outfile = source.replace(/\.ts$/, '.cjs');
  buildSync({
    entryPoints: [source],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile,
    logLevel: 'silent',
  });
  return outfile;
}
