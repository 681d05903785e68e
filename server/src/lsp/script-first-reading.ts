/**
 * A script that nothing is known of is read from its top in steps, each taking over what the one before has found, so
 * that questions are answered in between: all at once a long one takes a moment.
 */
import { type AnalyzedScript, analyzeScript } from '../rules/script/analyze';
import type { PythonParser } from '../script/parser';

/** Characters that are read at a time. */
const STEP = 6000;

/** Milliseconds in which what is waiting is answered: longer before the first step, when a script was just opened. */
const PAUSE = 1;
const FIRST_PAUSE = 10;

interface Reading {
  script: AnalyzedScript | undefined;
  done: Promise<void>;
}

/** A text by the address of its program. */
interface Text {
  readonly uri: string;
  text(): string;
}

export class FirstReading {
  private readonly readings = new Map<string, Reading>();

  /** Resolves once all but the last step is read, or somebody took what there is. */
  read(parser: PythonParser, { uri, text }: Text): Promise<void> {
    const known = this.readings.get(uri);
    if (known) return known.done;
    const reading: Reading = { script: undefined, done: Promise.resolve() };
    this.readings.set(uri, reading);
    reading.done = this.steps(parser, uri, text(), reading);
    return reading.done;
  }

  /** What was read so far: for the analysis of the whole, or to be disposed of. */
  take(uri: string): AnalyzedScript | undefined {
    const script = this.readings.get(uri)?.script;
    this.readings.delete(uri);
    return script;
  }

  private async steps(parser: PythonParser, uri: string, text: string, reading: Reading): Promise<void> {
    for (let end = STEP; end < text.length; end += STEP) {
      const line = text.indexOf('\n', end) + 1;
      if (line === 0) return;
      await new Promise((resolve) => setTimeout(resolve, end === STEP ? FIRST_PAUSE : PAUSE));
      if (this.readings.get(uri) !== reading) return;
      reading.script = analyzeScript(parser, uri, text.slice(0, line), {}, reading.script);
    }
  }
}
