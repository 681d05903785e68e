/** Progress in one line: stage, how many of what, and what is at hand. */
import type { Progress } from '../protocol/progress';
import { label } from './convert';

export function progressText({ stage, done, total, unit, detail }: Progress): string {
  const count = total > 0 ? `${done}/${total}` : String(done);
  return `${stage} ${count} ${unit}${detail === undefined ? '' : ` · ${label(detail)}`}`;
}
