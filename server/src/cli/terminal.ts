/**
 * What a command may print: results on stdout, progress and messages on stderr. With `--json` stdout carries exactly
 * one document.
 */
import { type Bar, SingleBar } from 'cli-progress';
import type { Issue } from '../protocol/issues';
import type { Progress } from '../protocol/progress';
import { line, reported } from '../rules/words';

/** Lines on a pipe or log: at most one per this many milliseconds and stage. */
const LINE_INTERVAL = 1000;

export interface Terminal {
  readonly json: boolean;
  /** A result for people; dropped with `--json`. */
  print(text: string): void;
  /** The one JSON document. */
  document(value: unknown): void;
  /** Warnings and notes on stderr, one line each. */
  notes(issues: readonly Issue[]): void;
  /** Ends a command that failed: the issues, on stderr or as JSON. */
  failed(issues: readonly Issue[]): void;
  /** First line of the errors that {@link failed} told. */
  failure(): string | undefined;
  progress(progress: Progress): void;
  endProgress(): void;
}

export function openTerminal(flags: { json?: boolean; quiet?: boolean }): Terminal {
  const json = flags.json ?? false;
  const progress = flags.quiet ? silent : process.stderr.isTTY ? bar() : lines();
  let failure: string | undefined;
  const note = (text: string) => process.stderr.write(`${text}\n`);
  return {
    json,
    print: (text) => {
      progress.end();
      if (!json) process.stdout.write(`${text}\n`);
    },
    document: (value) => {
      progress.end();
      process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    notes: (issues) => {
      progress.end();
      for (const text of new Set(issues.map((issue) => `${issue.severity}: ${line(issue)}`))) note(text);
    },
    failure: () => failure,
    failed: (issues) => {
      progress.end();
      const first = issues.find(({ severity }) => severity === 'error');
      failure ??= first && line(first);
      if (json) process.stdout.write(`${JSON.stringify({ issues: issues.map(reported) }, null, 2)}\n`);
      for (const text of failureLines(issues)) note(text);
    },
    progress: progress.show,
    endProgress: progress.end,
  };
}

/** What went before, then the errors: of each code the first, with the number of others like it. */
function failureLines(issues: readonly Issue[]): readonly string[] {
  const errors = new Map<string, string[]>();
  const lines = new Set<string>();
  for (const issue of issues) {
    if (issue.severity === 'error') errors.set(issue.code, [...(errors.get(issue.code) ?? []), line(issue)]);
    else lines.add(`${issue.severity}: ${line(issue)}`);
  }
  for (const texts of errors.values()) {
    const [first, ...others] = new Set(texts);
    lines.add(`quantlens: ${first}${others.length > 0 ? ` (and ${others.length} more like this)` : ''}`);
  }
  return [...lines];
}

interface ProgressView {
  show(progress: Progress): void;
  end(): void;
}

const silent: ProgressView = { show: () => {}, end: () => {} };

function lines(): ProgressView {
  let stage = '';
  let at = 0;
  return {
    show(progress) {
      const now = Date.now();
      if (progress.stage === stage && now - at < LINE_INTERVAL && progress.done !== progress.total) return;
      stage = progress.stage;
      at = now;
      const total = progress.total > 0 ? `/${progress.total}` : '';
      process.stderr.write(
        `${progress.stage} ${progress.done}${total} ${progress.unit}${detail(progress)}\n`,
      );
    },
    end: () => {},
  };
}

function bar(): ProgressView {
  let current: { stage: string; bar: Bar & SingleBar } | undefined;
  const end = () => {
    current?.bar.stop();
    current = undefined;
  };
  return {
    show(progress) {
      if (current?.stage !== progress.stage) {
        end();
        const made = new SingleBar({
          format: '{stage} {bar} {value}/{total} {unit}{detail}',
          stream: process.stderr,
          clearOnComplete: true,
          hideCursor: true,
          barsize: 30,
        }) as Bar & SingleBar;
        made.start(progress.total, progress.done, {
          stage: progress.stage,
          unit: progress.unit,
          detail: detail(progress),
        });
        current = { stage: progress.stage, bar: made };
      }
      current.bar.setTotal(progress.total);
      current.bar.update(progress.done, { unit: progress.unit, detail: detail(progress) });
    },
    end,
  };
}

function detail(progress: Progress): string {
  return progress.detail === undefined ? '' : ` · ${progress.detail}`;
}
