/** *What if*: weight error of one layer in formats of the user's choice, answered from memory or in a moment. */
import { isWeightFormatName, parseIntegerFormat } from '../../engine/base/format-names';
import { issue } from '../../engine/base/issue';
import type { Engine } from '../../engine/index';
import { formatName, parseWeightFormat, weightSchemeFor } from '../../engine/numerics/scheme';
import type { LayerReport } from '../../protocol/reports';
import type { WhatIfAnswer, WhatIfQuestion } from '../../protocol/views';
import { storedBytes } from '../../rules/model-view';
import { isFloat, storedAs } from '../../rules/stored-type';
import { verdictOf } from '../../rules/verdict';
import { editorWords, line } from '../../rules/words';
import { pathOf } from '../convert';
import type { Workspace } from '../workspace';

/** A question names a grid at most; more is a mistake of the asker. */
const MAX_FORMATS = 128;

export interface WhatIfHost {
  readonly engine: Engine;
  readonly workspace: Workspace;
}

/** Answers a question. Unknown layers and formats are problems in words; what can be answered is. */
export async function whatIf(
  { engine, workspace }: WhatIfHost,
  question: WhatIfQuestion,
  signal: AbortSignal,
): Promise<WhatIfAnswer> {
  const model = workspace.model(pathOf(question.modelUri));
  const layer = model.report?.layers.find(({ name }) => name === question.layer);
  if (!layer) return refused([...model.problems.map(line), editorWords.noSuchLayer(question.layer)]);
  if (!isFloat(layer)) return refused([editorWords.storedAs(storedAs(layer))]);
  const asked = question.formats.slice(0, MAX_FORMATS).map((name) => ({ name, full: fullName(name, layer) }));
  const unknown = asked.filter(({ full }) => full === undefined);
  const problems = unknown.map(({ name }) =>
    line(issue('scheme-unknown', { scheme: name, expected: editorWords.whatIfFormats })),
  );
  const known = asked.flatMap(({ name, full }) => (full === undefined ? [] : [{ name, full }]));
  const formats = known.map(({ full }) => full);
  const figures = await engine.whatIf(model.path, layer.name, formats, workspace.common(), signal);
  const serious = figures.issues.filter(({ code }) => code !== 'cancelled').map(line);
  if (!figures.value) return refused([...problems, ...serious]);
  const { value } = figures;
  return {
    cells: known.map(({ name, full }) => {
      const db = value[full] ?? null;
      const bytes = storedBytes(layer, full);
      return { format: name, effect: 'weight', db, verdict: verdictOf(db), basis: 'measured', bytes };
    }),
    notExported: Object.fromEntries(known.flatMap(({ name }) => refusal(name))),
    problems: [...problems, ...serious],
  };
}

/** `int4` on a MatMul is `int4.group32`; `undefined` for names that nobody can measure. */
function fullName(name: string, layer: LayerReport): string | undefined {
  if (name === 'float' || !isWeightFormatName(name)) return undefined;
  if (parseIntegerFormat(name)?.scope !== undefined || parseIntegerFormat(name) === undefined) return name;
  const format = parseWeightFormat(name).value;
  const operator = layer.op === 'MatMul' || layer.op === 'Gemm' ? 'matmul' : 'other';
  return format && formatName(weightSchemeFor(format, operator));
}

function refusal(name: string): [string, string][] {
  const parsed = parseWeightFormat(name);
  return parsed.value ? [] : [[name, editorWords.measuredOnly(name)]];
}

function refused(problems: readonly string[]): WhatIfAnswer {
  return { cells: [], notExported: {}, problems };
}
