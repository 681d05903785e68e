// Runs a program and measures what a user waits for and what it takes: wall time, and over the whole process tree the
// processor time and the sum of each process's largest resident memory (an upper bound of what they held at once). The
// last two on Linux, null elsewhere.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const POLL_MILLISECONDS = 15;

/** Clock ticks of /proc/PID/stat a second. */
const TICKS = 100;

/**
 * @returns {Promise<{seconds: number, processor: number | null, megabytes: number | null, stdout: string}>}
 * Rejects with the program's own words when it fails, and when it takes longer than `limit` seconds.
 */
export function measured(command, args, { limit = 600, environment = {} } = {}) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const peaks = new Map();
    const poll = setInterval(() => notePeaks(child.pid, peaks), POLL_MILLISECONDS);
    const late = setTimeout(() => child.kill('SIGKILL'), limit * 1000);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearInterval(poll);
      clearTimeout(late);
      const seconds = (performance.now() - began) / 1000;
      if (code === 0) {
        const total = (key) =>
          peaks.size === 0 ? null : [...peaks.values()].reduce((sum, one) => sum + one[key], 0);
        resolve({ seconds, processor: total('processor'), megabytes: total('megabytes'), stdout });
      } else if (signal === 'SIGKILL' && seconds >= limit) reject(new Error(`longer than ${limit} s`));
      else reject(new Error(stderr.trim().split('\n').at(-1) ?? `${command} ended with ${code}`));
    });
  });
}

/** Short programs run more often, because other work on the machine disturbs them most. */
const SHORT_SECONDS = 5;
const MOST_RUNS = 5;

/**
 * The run with the least wall time of at least `runs`, with the least processor time and the largest memory of all; more
 * than one run is repeated while all of them together are short.
 */
export async function bestOf(runs, command, args, options) {
  let best;
  let megabytes = null;
  let processor = null;
  let total = 0;
  for (let run = 0; run < runs || (runs > 1 && run < MOST_RUNS && total < SHORT_SECONDS); run++) {
    const one = await measured(command, args, options);
    total += one.seconds;
    if (one.megabytes !== null) megabytes = Math.max(megabytes ?? 0, one.megabytes);
    if (one.processor !== null) processor = Math.min(processor ?? one.processor, one.processor);
    if (best === undefined || one.seconds < best.seconds) best = one;
  }
  return { ...best, processor, megabytes };
}

function notePeaks(root, peaks) {
  for (const pid of tree(root)) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const megabytes = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
      // The name in parentheses may hold anything; user and system time are the 12th and 13th field behind it.
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      const processor = (Number(fields[11]) + Number(fields[12])) / TICKS;
      const known = peaks.get(pid);
      peaks.set(pid, {
        megabytes: Math.max(megabytes, known?.megabytes ?? 0),
        processor: Math.max(processor, known?.processor ?? 0),
      });
    } catch {
      // It has ended, or there is no /proc.
    }
  }
}

function tree(root) {
  const found = [];
  const pending = [root];
  for (let pid = pending.pop(); pid !== undefined; pid = pending.pop()) {
    found.push(pid);
    try {
      // Node and Python start processes from their main thread.
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
      if (children !== '') pending.push(...children.split(' ').map(Number));
    } catch {
      // As above.
    }
  }
  return found;
}
