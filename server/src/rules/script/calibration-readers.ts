/** Classes of a script that onnxruntime calibrates with. */
import { pathOf } from '../../script/names';
import type { ClassStatement, FunctionStatement } from '../../script/syntax';
import type { ScriptFacts } from './script-rule';

/** A data reader of the script, with its `get_next`. */
export interface CalibrationReader {
  readonly statement: ClassStatement;
  readonly getNext: FunctionStatement;
}

/** Classes with CalibrationDataReader among their bases and a `get_next` of their own. */
export function calibrationReaders(facts: ScriptFacts): readonly CalibrationReader[] {
  return facts.program.classes.flatMap(({ statement }) => {
    if (!statement.bases.some(({ value }) => isReader(pathOf(value, facts.program.scope)))) return [];
    const method = statement.body.find((one) => one.kind === 'function' && one.name === 'get_next');
    return method?.kind === 'function' ? [{ statement, getNext: method }] : [];
  });
}

function isReader(path: string | undefined): boolean {
  return path !== undefined && /^onnxruntime\..*\bCalibrationDataReader$/.test(path);
}
