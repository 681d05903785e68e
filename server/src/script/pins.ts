/**
 * Versions of libraries that a project states: lines of requirements files, of pyproject.toml and environment files, and
 * of a script itself (`pip install`, inline metadata). Source: PEP 440, PEP 508, PEP 723; `^` as Poetry reads it.
 */

/** `4.38.2` as numbers. */
export type Version = readonly number[];

/** What is allowed of one library. */
export interface Pin {
  readonly exactly?: Version;
  /** First version that is not allowed any more. */
  readonly below?: Version;
  readonly atLeast?: Version;
}

/** By the name of the library, in lower case, `_` as `-`. */
export type Pins = ReadonlyMap<string, Pin>;

/** Files of a project that state versions, those that state most first. */
export const pinFiles: readonly string[] = [
  'requirements.txt',
  'requirements-dev.txt',
  'pyproject.toml',
  'environment.yml',
  'environment.yaml',
  'setup.cfg',
  'setup.py',
];

const requirement =
  /(?:^|["'\s,[])([A-Za-z][\w.-]*)(?:\[[\w,\s.-]*\])?[ \t]*((?:(?:===?|~=|>=|<=|<|>|!=)[ \t]*\d[\w.*]*[ \t]*,?[ \t]*)+)/gm;
const poetry = /^\s*([A-Za-z][\w.-]*)\s*=\s*(?:\{[^}\n]*version\s*=\s*)?["']\^(\d[\d.]*)/gm;
/** `- transformers=4.38` of conda. */
const conda = /^\s*-\s*([A-Za-z][\w.-]*)=(\d[\d.]*)\s*$/gm;

/** All versions that a file states; the first statement about a library counts. */
export function pinsIn(text: string): Pins {
  const pins = new Map<string, Pin>();
  const keep = (name: string, pin: Pin) => {
    const key = name.toLowerCase().replaceAll('_', '-');
    if (!pins.has(key)) pins.set(key, pin);
  };
  for (const [, name = '', conditions = ''] of text.matchAll(requirement)) {
    const pin = pinOf(conditions);
    if (pin) keep(name, pin);
  }
  for (const [, name = '', from = ''] of text.matchAll(poetry)) {
    const atLeast = versionOf(from);
    keep(name, { atLeast, below: [(atLeast[0] ?? 0) + 1] });
  }
  for (const [, name = '', version = ''] of text.matchAll(conda)) keep(name, { exactly: versionOf(version) });
  return pins;
}

/** Lines of a script that install something or state what it depends on. */
export function pinsInScript(text: string): Pins {
  const lines = text
    .split('\n')
    .filter((line) => /\bpip3? install\b|^#\s*(dependencies\s*=|["'][\w-]+[^"']*["'],?\s*$)/.test(line));
  return pinsIn(lines.join('\n'));
}

function pinOf(conditions: string): Pin | undefined {
  let pin: Pin = {};
  for (const [, relation = '', written = ''] of conditions.matchAll(
    /(===?|~=|>=|<=|<|>|!=)\s*(\d[\w.*]*)/g,
  )) {
    const version = versionOf(written);
    if (relation.startsWith('==')) pin = { ...pin, exactly: version };
    else if (relation === '<') pin = { ...pin, below: version };
    else if (relation === '<=') pin = { ...pin, below: [...version, 1] };
    else if (relation === '>=' || relation === '>') pin = { ...pin, atLeast: version };
    else if (relation === '~=') pin = { atLeast: version, below: next(version.slice(0, -1)) };
  }
  return Object.keys(pin).length > 0 ? pin : undefined;
}

function versionOf(text: string): Version {
  return [...text.matchAll(/(\d+)(?=\.|$|[a-z*])/g)].map(([, part = '0']) => Number(part)).slice(0, 4);
}

function next(version: Version): Version {
  return [...version.slice(0, -1), (version.at(-1) ?? 0) + 1];
}

/** True when every allowed version is older than another one. */
export function isBefore({ exactly, below }: Pin, version: Version): boolean {
  if (exactly) return compare(exactly, version) < 0;
  return below !== undefined && compare(below, version) <= 0;
}

function compare(one: Version, other: Version): number {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** `4.38.2`, `below 5`, `from 4.40`. */
export function pinText({ exactly, below, atLeast }: Pin): string {
  if (exactly) return exactly.join('.');
  if (below) return `below ${below.join('.')}`;
  return atLeast ? `from ${atLeast.join('.')}` : '';
}
