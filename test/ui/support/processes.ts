/** Processes below a VS Code server, found by their parents, so that a test touches none but its own. */
import { readdir, readFile } from 'node:fs/promises';

interface Running {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Pids of the descendants of a process whose command line contains a text. */
export async function descendants(ancestor: number, text: string): Promise<readonly number[]> {
  const all = await running();
  const family = new Set([ancestor]);
  for (let before = 0; before < family.size; ) {
    before = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  return all.filter(({ pid, command }) => family.has(pid) && command.includes(text)).map(({ pid }) => pid);
}

async function running(): Promise<readonly Running[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map(describe));
  return found.filter((one) => one !== undefined);
}

async function describe(pid: string): Promise<Running | undefined> {
  try {
    const [stat, command] = await Promise.all(
      ['stat', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
    );
    // `pid (name) state parent …`; the name may hold spaces and brackets.
    const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
    return { pid: Number(pid), parent: Number(parent), command: command ?? '' };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}
