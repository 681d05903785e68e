/**
 * Patterns over layer names: `*` any characters, `?` one, `[a-c]` and `[!a-c]` one of a set, `{a,b}` alternatives,
 * `\` makes the next character literal. Dots and slashes are ordinary: `layer3.*` matches `layer3.0.conv1`.
 * Matching takes at most pattern × name steps, whatever a file brings: a backtracking regular expression with
 * a dozen stars does not end.
 */

/** Tests one name. */
export type LayerMatcher = (name: string) => boolean;

/** Beyond these a pattern is literal text: together they bound one match to some 70 million steps. */
const maximumAlternatives = 64;
const maximumPattern = 512;
/** Longer names are matched by `*` and by their own text only. */
const maximumName = 2048;

/** Compiles a pattern; one that is too large or unbalanced matches its own text only. */
export function layerMatcher(pattern: string): LayerMatcher {
  if (!hasGlobCharacters(pattern)) return (name) => name === pattern;
  const alternatives = pattern.length > maximumPattern ? undefined : expandBraces(pattern);
  if (alternatives === undefined) return (name) => name === pattern;
  const compiled = alternatives.map(compile);
  const everything = compiled.some((parts) => parts.length === 1 && parts[0]?.kind === 'any');
  return (name) =>
    everything || (name.length <= maximumName && compiled.some((parts) => matches(parts, name)));
}

/** True when the text is more than a plain name. */
export function hasGlobCharacters(pattern: string): boolean {
  return /[*?[\]{}\\]/.test(pattern);
}

/** The pattern that matches exactly this name. */
export function escapeLayerName(name: string): string {
  return name.replace(/[*?[\]{}\\]/g, '\\$&');
}

type Part =
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly accepts: (character: string) => boolean };

const anyCharacter: Part = { kind: 'one', accepts: () => true };

/** Walks name and parts together; on a mismatch only the last star is widened, which is enough for globs. */
function matches(parts: readonly Part[], name: string): boolean {
  let part = 0;
  let position = 0;
  let starPart = -1;
  let starPosition = 0;
  while (position < name.length) {
    const current = parts[part];
    if (current?.kind === 'any') {
      starPart = part++;
      starPosition = position;
    } else if (current?.accepts(name.charAt(position))) {
      part++;
      position++;
    } else if (starPart >= 0) {
      part = starPart + 1;
      position = ++starPosition;
    } else return false;
  }
  while (parts[part]?.kind === 'any') part++;
  return part === parts.length;
}

function compile(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern.charAt(index);
    if (character === '*') {
      if (parts.at(-1)?.kind !== 'any') parts.push({ kind: 'any' });
    } else if (character === '?') {
      parts.push(anyCharacter);
    } else if (character === '[') {
      const end = endOfSet(pattern, index);
      if (end < 0) parts.push(literal('['));
      else {
        parts.push({ kind: 'one', accepts: characterSet(pattern.slice(index + 1, end)) });
        index = end;
      }
    } else if (character === '\\' && index + 1 < pattern.length) {
      parts.push(literal(pattern.charAt(++index)));
    } else {
      parts.push(literal(character));
    }
  }
  return parts;
}

function literal(expected: string): Part {
  return { kind: 'one', accepts: (character) => character === expected };
}

/** Index of the `]` that closes the set opened at `start`; a `]` in first place belongs to the set. */
function endOfSet(pattern: string, start: number): number {
  const first =
    pattern.charAt(start + 1) === '!' || pattern.charAt(start + 1) === '^' ? start + 2 : start + 1;
  return pattern.indexOf(']', first + 1);
}

function characterSet(body: string): (character: string) => boolean {
  const negated = body.startsWith('!') || body.startsWith('^');
  const members = negated ? body.slice(1) : body;
  const ranges: [string, string][] = [];
  for (let index = 0; index < members.length; index++) {
    const low = members.charAt(index);
    if (members.charAt(index + 1) === '-' && index + 2 < members.length) {
      ranges.push([low, members.charAt(index + 2)]);
      index += 2;
    } else ranges.push([low, low]);
  }
  return (character) => ranges.some(([low, high]) => character >= low && character <= high) !== negated;
}

/** `a{b,c}d` → `abd`, `acd`, nested braces included; `undefined` beyond the limit. Unbalanced braces are literal. */
function expandBraces(pattern: string): string[] | undefined {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next);
    if (group === undefined) done.push(next);
    else
      for (const choice of group.choices)
        open.push(next.slice(0, group.start) + choice + next.slice(group.end));
    if (done.length + open.length > maximumAlternatives) return undefined;
  }
  return done;
}

/** The first `{…,…}` outside sets; one without a comma is plain text, as in shells. */
function firstGroup(pattern: string): { start: number; end: number; choices: string[] } | undefined {
  const open: { start: number; commas: number[] }[] = [];
  let found: { start: number; end: number; commas: number[] } | undefined;
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern.charAt(index);
    if (character === '\\') index++;
    else if (character === '[') index = Math.max(index, endOfSet(pattern, index));
    else if (character === '{') open.push({ start: index, commas: [] });
    else if (character === ',') open.at(-1)?.commas.push(index);
    else if (character === '}') {
      const group = open.pop();
      if (
        group !== undefined &&
        group.commas.length > 0 &&
        (found === undefined || group.start < found.start)
      ) {
        found = { ...group, end: index + 1 };
      }
    }
  }
  if (found === undefined) return undefined;
  const cuts = [found.start, ...found.commas, found.end - 1];
  const choices = cuts.slice(1).map((cut, index) => pattern.slice((cuts[index] ?? 0) + 1, cut));
  return { start: found.start, end: found.end, choices };
}
