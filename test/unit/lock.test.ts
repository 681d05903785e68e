/** The lock files must let `npm ci` work on every system and with every registry. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

describe.each(['package-lock.json', 'test/ide/package-lock.json'])('%s', (file) => {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as {
    packages: Readonly<Record<string, Locked>>;
  };

  it('names versions, not where they were downloaded from', () => {
    const places = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined);
    expect(places).toEqual([]);
  });

  it('has every package that another one wants (else: node scripts/complete-lock.mjs)', () => {
    const missing = Object.entries(packages).flatMap(([place, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => !isFound(packages, place, name))
        .map((name) => `${place} wants ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

/** Looks where Node would: beside the package's own dependencies, then in each folder above. */
function isFound(packages: Readonly<Record<string, Locked>>, place: string, name: string): boolean {
  for (let folder = place; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return true;
    if (folder === '') return false;
  }
}
