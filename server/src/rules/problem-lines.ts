/** What is told beside a report, in lines: each once, and of what holds for many tensors or layers the first few. */
import type { Issue } from '../engine/base/issue';
import { likeIt, line } from './words';

/** Networks repeat themselves: what is said of one block holds for the others. */
const MAX_OF_A_KIND = 2;

/** Lines of issues in their order, without those of a run that was cancelled. */
export function problemLines(issues: readonly Issue[]): string[] {
  const kinds = new Map<string, Set<string>>();
  for (const one of issues) {
    if (one.code === 'cancelled') continue;
    const lines = kinds.get(one.code);
    if (lines) lines.add(line(one));
    else kinds.set(one.code, new Set([line(one)]));
  }
  return [...kinds.values()].flatMap((lines) => {
    const shown = [...lines].slice(0, MAX_OF_A_KIND);
    const more = lines.size - shown.length;
    return more === 0 ? shown : [...shown.slice(0, -1), `${shown.at(-1)} ${likeIt(more)}`];
  });
}
