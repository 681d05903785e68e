/**
 * Sizes of free input dimensions with which a network runs. Noise that stands in for missing data gets one size for
 * all of them; a network that cuts its input into windows, or whose states belong to the batch, needs others.
 */
import { type Issue, issue } from '../base/issue';
import type { Outcome } from '../base/outcome';
import type { Model } from '../graph/ir';
import type { CalibrateJob, MeasureJob, PlanningJob } from '../jobs';
import { openFeeds } from '../runtime/feeds';
import { freeDimensions } from '../runtime/model-inputs';
import type { Session } from '../runtime/ort';

type Sizes = Readonly<Record<string, number>>;

/** Signals and texts of one sample; more is tried by nobody who waits. */
const TRIED = [16, 64, 128, 256, 512, 1024] as const;

/** The first sizes that `session` of `model` runs with on noise; `undefined` where none of those tried does. */
export async function runnableSizes(model: Model, session: Session): Promise<Sizes | undefined> {
  for (const dimensions of candidates(model)) {
    const spec = { source: 'none', samples: 1, seed: 0, preprocessing: {}, dimensions } as const;
    const feeds = await openFeeds(spec, model);
    if (!feeds.value) return undefined;
    try {
      for await (const batch of feeds.value.batches(1)) {
        const ran = batch.value && (await session.run(batch.value.feeds));
        if (ran?.value) return dimensions;
      }
    } finally {
      feeds.value.close();
    }
  }
  return undefined;
}

/** Every size for all free dimensions, then for those of the first input alone: states have one row per sample. */
function candidates(model: Model): readonly Sizes[] {
  const free = freeDimensions(model);
  if (!free || free.first.length + free.others.length === 0) return [];
  const sized = (names: readonly string[], size: number) => names.map((name) => [name, size] as const);
  return TRIED.flatMap((size) => {
    // Two free axes are mostly those of a picture.
    if (free.first.length > 1 && size > 512) return [];
    const fixed = [...sized(free.batch, 1), ...sized(free.first, size)];
    const alike = Object.fromEntries([...fixed, ...sized(free.others, size)]);
    if (free.others.length === 0) return [alike];
    return [alike, Object.fromEntries([...fixed, ...sized(free.others, 1)])];
  });
}

/**
 * Runs a job on noise again with sizes with which the network runs, when it does not with those assumed; they are told.
 * Data and sizes that the user gave stand.
 */
export async function withRunnableSizes<J extends CalibrateJob | MeasureJob | PlanningJob, T>(
  job: J,
  run: (job: J) => Promise<Outcome<T>>,
): Promise<Outcome<T>> {
  const first = await run(job);
  const needed = first.issues.find((one) => one.code === 'dimension-needed');
  const { data } = job;
  if (first.value !== undefined || !needed || (data && data.source !== 'none')) return first;
  const { sizes } = needed.facts;
  if (Object.keys(sizes).some((name) => Object.hasOwn(job.dimensions, name))) return first;
  const dimensions = { ...job.dimensions, ...sizes };
  const again = await run({ ...job, dimensions, ...(data ? { data: { ...data, dimensions } } : {}) });
  if (again.value === undefined) return first;
  const notes = Object.entries(sizes).map(([dimension, size]) =>
    issue('dimension-assumed', { dimension, size }, {}, 'information'),
  );
  return { value: withNotes(again.value, notes), issues: [...notes, ...again.issues] };
}

/** Reports carry their issues; ranges have none. */
function withNotes<T>(value: T, notes: readonly Issue[]): T {
  const held = typeof value === 'object' && value !== null && 'issues' in value ? value.issues : undefined;
  return Array.isArray(held) ? { ...value, issues: [...notes, ...held] } : value;
}
