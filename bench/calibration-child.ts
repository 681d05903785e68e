/**
 * One measured process of `bench/calibration.mjs`: plain inference over the samples, or a calibration of the same
 * model with one estimator. Prints one line of JSON: seconds of the loop and of everything, peak resident memory.
 */
import { calibrate } from '../server/src/engine/analysis/calibrate';
import { openModel } from '../server/src/engine/graph/open';
import { runPasses } from '../server/src/engine/graph/passes';
import { cloneModel } from '../server/src/engine/graph/walk';
import { openFeeds } from '../server/src/engine/runtime/feeds';
import { loadRuntime } from '../server/src/engine/runtime/ort';
import { openSession } from '../server/src/engine/runtime/session-model';
import type { DataSpec } from '../server/src/protocol/reports';

interface Asked {
  readonly what: string;
  readonly model: string;
  readonly data: DataSpec;
  readonly threads: number;
  readonly batch: number;
}

async function main({ what, model: file, data, threads, batch }: Asked): Promise<void> {
  // Loading the library is the same for both and belongs to neither.
  await loadRuntime();
  const opened = openModel(file);
  if (!opened.value) throw new Error(JSON.stringify(opened.issues));
  const model = cloneModel(opened.value.model);
  runPasses(model);
  const start = performance.now();
  const cpu = process.cpuUsage();
  let runs = 0;
  if (what === 'plain') {
    const session = await openSession(model, opened.value, { threads, optimization: 'all' });
    const feeds = await openFeeds(data, model);
    if (!session.value || !feeds.value) throw new Error(JSON.stringify([session.issues, feeds.issues]));
    for await (const one of feeds.value.batches(batch)) {
      if (!one.value) throw new Error(JSON.stringify(one.issues));
      const began = performance.now();
      await session.value.run(one.value.feeds);
      runs += performance.now() - began;
    }
    await session.value.release();
  } else {
    const input = { estimator: what, threads, progress: () => {} };
    const done = await calibrate({ ...input, open: opened.value, model, data });
    if (!done.value) throw new Error(JSON.stringify(done.issues));
  }
  const used = process.cpuUsage(cpu);
  const line = {
    seconds: (performance.now() - start) / 1000,
    processor: (used.user + used.system) / 1e6,
    runs: runs / 1000,
    megabytes: process.resourceUsage().maxRSS / 1024,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  opened.value.close();
}

void main(JSON.parse(process.argv[2] ?? '{}') as Asked);
