// @ts-check
// Completes package-lock.json. A registry that mirrors only some systems' binaries makes npm leave the others
// out of the lock, and `npm ci` then refuses it everywhere. Such binaries are optional dependencies whose exact
// version stands in the package that wants them and whose system stands in their name; only their hashes stay
// unknown. Usage: node scripts/complete-lock.mjs (after adding a dependency; test/unit/lock.test.ts asks for it)
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from './lib/paths.mjs';
import { Failure, runMain, say } from './lib/say.mjs';

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = ['arm64', 'arm', 'x64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x'];
const libraries = { musl: 'musl', gnu: 'glibc', gnueabihf: 'glibc', musleabihf: 'musl' };

await runMain(async () => {
  const file = path.join(root, 'package-lock.json');
  const lock = JSON.parse(await readFile(file, 'utf8'));
  const added = missingBinaries(lock.packages);
  for (const [place, entry] of added) lock.packages[place] = entry;
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  if (added.length > 0) {
    await writeFile(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
  }
  say(`${added.length} entries added to package-lock.json`);
  return 0;
});

/**
 * @param {Record<string, { dev?: boolean, license?: string, optionalDependencies?: Record<string, string> }>} packages
 * @returns {[string, object][]} place and entry of each optional dependency that has none
 */
function missingBinaries(packages) {
  return Object.values(packages).flatMap((wanting) =>
    Object.entries(wanting.optionalDependencies ?? {})
      .filter(([name]) => packages[`node_modules/${name}`] === undefined)
      .map(
        ([name, version]) =>
          /** @type {[string, object]} */ ([`node_modules/${name}`, entry(name, version, wanting)]),
      ),
  );
}

/** @param {string} name @param {string} version @param {{ dev?: boolean, license?: string }} wanting */
function entry(name, version, { dev, license }) {
  const words = name.replace(/^@[^/]*\//, '').split('-');
  const os = systems.find((each) => words.includes(each));
  const cpu = processors.find((each) => words.includes(each));
  if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Failure(`package-lock.json lacks ${name}@${version}, which is not the binary of one system.`);
  }
  const libc = Object.entries(libraries).find(([word]) => words.includes(word))?.[1];
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(os === 'linux' && libc ? { libc: [libc] } : {}),
    license,
    optional: true,
    os: [os],
  };
}
