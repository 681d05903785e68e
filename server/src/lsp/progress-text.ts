/** Progress in one line: stage, how many of what, and what is at hand. */
import type { Progress } from '../protocol/progress';
import { stageWords } from '../rules/words';
import { label } from './convert';

export function progressText({ stage, done, total, unit, detail }: Progress): string {
  // Nobody counts bytes; the bar has a percentage, and the file's path is too long for a status bar.
  if (unit === 'bytes') return stageWords[stage];
  const count = total > 0 ? `${done}/${total}` : String(done);
  return `${stageWords[stage]} ${count} ${unit}${detail === undefined ? '' : ` · ${label(detail)}`}`;
}
