// Runs a program and measures what a user waits for and what it takes: wall time, and the sum over the whole process tree
// of each process's largest resident memory (Linux; an upper bound of what they held at once). null elsewhere.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const POLL_MILLISECONDS = 10;

/**
 * @returns {Promise<{seconds: number, megabytes: number | null, stdout: string}>}
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
        const kilobytes = [...peaks.values()].reduce((sum, one) => sum + one, 0);
        resolve({ seconds, megabytes: peaks.size > 0 ? kilobytes / 1024 : null, stdout });
      } else if (signal === 'SIGKILL' && seconds >= limit) reject(new Error(`longer than ${limit} s`));
      else reject(new Error(stderr.trim().split('\n').at(-1) ?? `${command} ended with ${code}`));
    });
  });
}

/** The run with the least wall time of several, with the largest memory of all. */
export async function bestOf(runs, command, args, options) {
  let best;
  let megabytes = null;
  for (let run = 0; run < runs; run++) {
    const one = await measured(command, args, options);
    if (one.megabytes !== null) megabytes = Math.max(megabytes ?? 0, one.megabytes);
    if (best === undefined || one.seconds < best.seconds) best = one;
  }
  return { ...best, megabytes };
}

function notePeaks(root, peaks) {
  for (const pid of tree(root)) {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const kilobytes = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      if (kilobytes > (peaks.get(pid) ?? 0)) peaks.set(pid, kilobytes);
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
      for (const thread of readdirSync(`/proc/${pid}/task`)) {
        const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim();
        if (children !== '') pending.push(...children.split(' ').map(Number));
      }
    } catch {
      // As above.
    }
  }
  return found;
}
