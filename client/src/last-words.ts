/** Why a process ended, told from the last lines of its error output. */

/** So many lines are kept: a stack trace and what stands above it. */
const kept = 60;

export class LastWords {
  private lines: string[] = [];

  add(line: string): void {
    this.lines = [...this.lines, line].slice(-kept);
  }

  clear(): void {
    this.lines = [];
  }

  /** The line that names the error, else the last that says anything; undefined when there is none. */
  reason(): string | undefined {
    const said = this.lines
      .map((line) => line.trim())
      .filter((line) => line !== '' && !/^(at |Node\.js v|[\^~]+$|[{}[\]]+$)/.test(line));
    const named = said.findLast((line) => /^(uncaught\s+)?([\w.]*error\b.*:|fatal)/i.test(line));
    return named ?? said.at(-1);
  }
}
