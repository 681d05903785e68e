/**
 * One measured process of `bench/calibration.mjs`: plain inference over the samples, or a calibration of the same model
 * with one estimator. Prints one line of JSON: seconds of the job, wall and processor, and peak resident memory.
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
  /** `plain` or an estimator. */
  readonly what: string;
  readonly model: string;
  readonly data: DataSpec;
  readonly threads: number;
  /** Of plain inference; a calibration chooses its own and tells it. */
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
  const processor = process.cpuUsage();
  let chosen = batch;
  if (what === 'plain') {
    const session = await openSession(model, opened.value, { threads, optimization: 'all' });
    const feeds = await openFeeds(data, model);
    if (!session.value || !feeds.value) throw new Error(JSON.stringify([session.issues, feeds.issues]));
    for await (const one of feeds.value.batches(batch)) {
      if (!one.value) throw new Error(JSON.stringify(one.issues));
      await session.value.run(one.value.feeds);
    }
    await session.value.release();
  } else {
    let first = 0;
    const progress = ({ done }: { readonly done: number }) => {
      first ||= done;
    };
    const done = await calibrate({ estimator: what, threads, progress, open: opened.value, model, data });
    if (!done.value) throw new Error(JSON.stringify(done.issues));
    chosen = first;
  }
  const { user, system } = process.cpuUsage(processor);
  const line = {
    seconds: (performance.now() - start) / 1000,
    processor: (user + system) / 1e6,
    megabytes: process.resourceUsage().maxRSS / 1024,
    batch: chosen,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  opened.value.close();
}

void main(JSON.parse(process.argv[2] ?? '{}') as Asked);
