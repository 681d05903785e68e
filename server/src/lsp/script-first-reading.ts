/**
 * A script that nothing is known of is read from its top in steps, each taking over what the one before has found, so
 * that questions are answered in between: all at once a long one takes a moment.
 */
import { type AnalyzedScript, analysisSteps, type ScriptSettings } from '../rules/script/analyze';
import type { PythonParser } from '../script/parser';

/** Characters that are read at a time. */
const STEP = 2000;

/** Longest stretch of work between two looks at what has come in, milliseconds. */
const SLICE = 4;

/** Milliseconds before the first step, when a script was just opened: its editor asks at once. */
const FIRST_PAUSE = 10;

interface Reading {
  /** What was read so far; undefined while a step is under way. */
  script: AnalyzedScript | undefined;
  step: Generator<void, AnalyzedScript> | undefined;
  done: Promise<void>;
}

/** A text to read, by the address of its program. */
export interface UnreadScript {
  readonly uri: string;
  readonly file: string;
  readonly settings: ScriptSettings;
  text(): string;
}

export class FirstReading {
  private readonly readings = new Map<string, Reading>();

  /** Resolves once all is read, or somebody took what there is. */
  read(parser: PythonParser, unread: UnreadScript): Promise<void> {
    const known = this.readings.get(unread.uri);
    if (known) return known.done;
    const reading: Reading = { script: undefined, step: undefined, done: Promise.resolve() };
    this.readings.set(unread.uri, reading);
    reading.done = this.readAll(parser, unread, reading);
    return reading.done;
  }

  /** What was read so far: for the analysis of the whole, or to be disposed of. */
  take(uri: string): AnalyzedScript | undefined {
    const reading = this.readings.get(uri);
    this.readings.delete(uri);
    return reading && finished(reading);
  }

  private async readAll(
    parser: PythonParser,
    { uri, file, settings, text }: UnreadScript,
    reading: Reading,
  ): Promise<void> {
    const whole = text();
    await pause(FIRST_PAUSE);
    for (const end of stops(whole)) {
      if (this.readings.get(uri) !== reading) return;
      reading.step = analysisSteps(parser, file, whole.slice(0, end), settings, reading.script);
      reading.script = undefined;
      while (!advance(reading)) {
        await pause(0);
        // Who took it has gone to the end of the step.
        if (this.readings.get(uri) !== reading) return;
      }
    }
  }
}

/** Ends of ever longer beginnings of a text, the whole last. */
function* stops(text: string): Iterable<number> {
  for (let end = STEP; end < text.length; end += STEP) {
    const line = text.indexOf('\n', end) + 1;
    if (line > 0 && line < text.length) yield line;
  }
  yield text.length;
}

/** Works for one slice of time; true once the step is done. */
function advance(reading: Reading): boolean {
  for (const began = performance.now(); performance.now() - began < SLICE; ) {
    const next = reading.step?.next();
    if (!next) return true;
    if (!next.done) continue;
    reading.script = next.value;
    reading.step = undefined;
  }
  return reading.step === undefined;
}

function finished(reading: Reading): AnalyzedScript | undefined {
  while (reading.step) advance(reading);
  return reading.script;
}

/** What has come in meanwhile goes first. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
