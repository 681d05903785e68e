/**
 * The program of the forked process: one switch over jobs. Native inference happens here and nowhere else; the process may
 * be killed at any time.
 */

import { assertNever } from './base/invariant';
import type { Outcome } from './base/outcome';
import { calibrateHandler } from './handlers/calibrate';
import { codeHandler } from './handlers/code';
import { compareHandler } from './handlers/compare';
import { debugHandler } from './handlers/debug';
import { encodingsHandler } from './handlers/encodings';
import { evaluateHandler } from './handlers/evaluate';
import { examineHandler } from './handlers/examine';
import { importanceHandler } from './handlers/importance';
import { withRunnableSizes } from './handlers/input-sizes';
import { layerDetailHandler } from './handlers/layer-detail';
import { measureHandler } from './handlers/measure';
import { quantizeHandler } from './handlers/quantize';
import { weightsHandler } from './handlers/weights';
import { type Job, jobProtocolVersion } from './jobs';
import { type ServedContext, serveJobs } from './runtime/child';

function handle(job: Job, context: ServedContext): Promise<Outcome<unknown>> {
  switch (job.kind) {
    case 'weights':
      return weightsHandler(job, context);
    case 'importance':
      return importanceHandler(job, context);
    case 'calibrate':
      return withRunnableSizes(job, (sized) => calibrateHandler(sized, context));
    case 'measure':
      return withRunnableSizes(job, (sized) => measureHandler(sized, context));
    case 'quantize':
      return withRunnableSizes(job, (sized) => quantizeHandler(sized, context));
    case 'encodings':
      return withRunnableSizes(job, (sized) => encodingsHandler(sized, context));
    case 'code':
      return codeHandler(job);
    case 'compare':
      return compareHandler(job, context);
    case 'layer-detail':
      return layerDetailHandler(job, context);
    case 'examine':
      return examineHandler(job, context);
    case 'debug':
      return debugHandler(job, context);
    case 'evaluate':
      return evaluateHandler(job, context);
    default:
      return assertNever(job, 'job');
  }
}

serveJobs<Job>(jobProtocolVersion, handle);
