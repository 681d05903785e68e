/** Progress in one line: stage, how many of what, and what is at hand. */
import type { Progress, ProgressStage } from '../protocol/progress';
import { label } from './convert';

const words: Readonly<Record<ProgressStage, string>> = {
  read: 'reading the model',
  weights: 'analysing weights',
  shapes: 'inferring shapes',
  calibrate: 'calibrating',
  measure: 'measuring layers',
  quantize: 'quantizing',
  export: 'writing the model',
  verify: 'running the written model',
  evaluate: 'evaluating',
  compare: 'comparing',
  fingerprint: 'fingerprinting',
};

export function progressText({ stage, done, total, unit, detail }: Progress): string {
  // Nobody counts bytes; the bar has a percentage, and the file's path is too long for a status bar.
  if (unit === 'bytes') return words[stage];
  const count = total > 0 ? `${done}/${total}` : String(done);
  return `${words[stage]} ${count} ${unit}${detail === undefined ? '' : ` · ${label(detail)}`}`;
}
