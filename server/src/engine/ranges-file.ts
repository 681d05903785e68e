/** Reads a ranges file written by `calibrate`; its shape is checked before anything trusts it. */
import { z } from 'zod';
import type { RangesFile } from '../protocol/reports';
import { openFile } from './base/byte-source';
import { issue } from './base/issue';
import { fail, type Outcome, ok } from './base/outcome';

const MAX_BYTES = 64 << 20;

const factsSchema = z.object({
  tensor: z.string(),
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  std: z.number(),
  p9999: z.number(),
  clippedShare: z.number().optional(),
  effectiveLevels: z.number().optional(),
  levels: z.number().optional(),
  rangeVariation: z.number().optional(),
  sampleSpread: z.number().optional(),
});

const rangesSchema = z.object({
  version: z.literal(1),
  model: z.object({ path: z.string(), fingerprint: z.string() }),
  data: z.object({
    source: z.string(),
    fingerprint: z.string(),
    samples: z.number(),
    noData: z.enum(['batch-norm', 'noise']).optional(),
    stable: z.object({ of: z.number(), share: z.number() }).optional(),
  }),
  estimator: z.string(),
  preprocessing: z.object({
    scale: z.number().optional(),
    mean: z.array(z.number()).optional(),
    std: z.array(z.number()).optional(),
    resize: z.number().optional(),
    crop: z.number().optional(),
    layout: z.enum(['nchw', 'nhwc']).optional(),
    color: z.enum(['rgb', 'bgr']).optional(),
  }),
  seed: z.number(),
  ranges: z.record(z.string(), z.object({ min: z.number(), max: z.number() })),
  stats: z.record(z.string(), factsSchema).optional(),
  weightRatios: z.record(z.string(), z.number()).optional(),
});

/** Ranges from a file; `ranges-stale` for another version, `format-damaged` for anything that is no ranges file. */
export function readRangesFile(file: string): Outcome<RangesFile> {
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const source = opened.value;
  try {
    if (source.size > MAX_BYTES) {
      return fail(
        issue(
          'format-limit',
          { path: file, what: 'the size', value: source.size, limit: MAX_BYTES },
          { path: file },
        ),
      );
    }
    const parsed: unknown = JSON.parse(new TextDecoder().decode(source.read(0, source.size)));
    if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && parsed.version !== 1) {
      return fail(issue('ranges-stale', { what: 'version', path: file }, { path: file }));
    }
    const checked = rangesSchema.safeParse(parsed);
    if (checked.success) return ok(checked.data);
    const reason = `not a ranges file: ${checked.error.issues[0]?.path.join('.') ?? ''}`;
    return fail(issue('format-damaged', { path: file, offset: 0, reason }, { path: file }));
  } catch {
    return fail(issue('format-damaged', { path: file, offset: 0, reason: 'not JSON' }, { path: file }));
  } finally {
    source.close();
  }
}
