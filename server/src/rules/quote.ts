/** Names that come from files, made harmless for a terminal, a log and a page. */

/** A name between quotes, shortened, control characters made visible. */
export function quote(name: string): string {
  const short = name.length > 120 ? `${name.slice(0, 117)}…` : name;
  return `"${oneLine(short)}"`;
}

/** The text on one line, control characters made visible. */
export function oneLine(text: string): string {
  // Names come from files: a line break, terminal escape or change of writing direction in one must not reach a terminal or a log as such.
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** The first few names of many. */
export function fewOf(names: readonly string[]): string {
  return `${names.slice(0, 4).join(', ')}${names.length > 4 ? ', …' : ''}`;
}
