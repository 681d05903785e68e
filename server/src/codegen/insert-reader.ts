/** The calibration reader of a `quantize_static` block: one that the script has, or one made from a loader at the place. */
import { hasReader, loaderReaderEdits, readerEdits } from '../script/calibration-reader';
import { pathOf, type Scope } from '../script/names';
import type { ClassStatement } from '../script/syntax';
import { evaluate, stringOf } from '../script/values';
import { type Block, type InsertionInput, type Refusal, refusal } from './insert-block';
import { type Loader, loadersAt } from './insert-data';
import type { Place } from './insert-place';
import { quote } from './python';

export interface ReaderUse {
  /** Expression that makes the reader. */
  readonly made: string;
  /** The expression opens the exported file for the name of its input. */
  readonly asksFile?: boolean;
  readonly edits?: Block['edits'];
  /** The loader that it reads, where that is known. */
  readonly loader?: Loader;
}

/** @param file Python for the exported file at the place. */
export function readerUse(input: InsertionInput, place: Place, file: string): ReaderUse | Refusal {
  if (hasReader({ parsed: input, program: input.program }))
    return ownReader(input, place) ?? refusal('no-reader');
  const loaders = loadersAt(input, place, 'calibration');
  const [first] = loaders;
  if (!first) return refusal('no-loader');
  for (const loader of loaders) {
    if (loader.isRandom) continue;
    const use = fromDefault(input, place, loader, file) ?? fromLoader(input, place, loader, file);
    if (use) return { ...use, loader };
  }
  return refusal(loaders.every(({ isRandom }) => isRandom) ? 'random' : 'no-reader', first.name);
}

/** A reader that knows its loader: one of the module, made in front of the block. */
function fromDefault(
  input: InsertionInput,
  place: Place,
  { name, pipeline }: Loader,
  file: string,
): ReaderUse | undefined {
  if (!pipeline || pipeline.loader?.name !== name) return undefined;
  const edits = readerEdits({ parsed: input, program: input.program }, pipeline, place.exported?.input);
  if (!edits) return undefined;
  const text = edits.map((edit) => edit.text).join('');
  // The class has to stand in front of the block, and its loader needs a default.
  const isAhead = edits.every(({ start }) => start < place.at);
  if (!isAhead || !/def __init__\(self, \w+=/.test(text)) return undefined;
  return useOf(text, [], place, file, edits);
}

/** A reader that is given its loader. */
function fromLoader(
  input: InsertionInput,
  place: Place,
  { name, pipeline }: Loader,
  file: string,
): ReaderUse | undefined {
  const edits = loaderReaderEdits({ parsed: input, program: input.program }, place.at, {
    input: place.exported?.input,
    isTorch: pipeline?.isTorch ?? true,
  });
  return edits && useOf(edits.map(({ text }) => text).join(''), [name], place, file, edits);
}

function useOf(
  text: string,
  given: readonly string[],
  { exported }: Place,
  file: string,
  edits: ReaderUse['edits'],
): ReaderUse | undefined {
  const made = /class (\w+)\(/.exec(text)?.[1];
  if (made === undefined) return undefined;
  if (exported?.input !== undefined) return { made: `${made}(${given.join(', ')})`, ...(edits && { edits }) };
  // The exporter chose the name: only the file knows it.
  const asked = `input_name=InferenceSession(${file}).get_inputs()[0].name`;
  return { made: `${made}(${[...given, asked].join(', ')})`, ...(edits && { edits }), asksFile: true };
}

/** A reader class of the script, when it can be made without arguments, or the variable that holds one. */
function ownReader(input: InsertionInput, place: Place): ReaderUse | undefined {
  for (const { statement, scope } of input.program.classes) {
    if (!isReader(statement, scope)) continue;
    const init = statement.body.find((one) => one.kind === 'function' && one.name === '__init__');
    const parameters = init?.kind === 'function' ? init.parameters.slice(1) : [];
    if (parameters.every((one) => one.default !== undefined || one.star !== undefined)) {
      const named = parameters.find(({ name }) => name === 'input_name')?.default;
      const wanted = place.exported?.input?.name;
      // Another network may be fed under another name.
      const differs =
        named !== undefined && wanted !== undefined && stringOf(evaluate(named, scope)) !== wanted;
      const given = differs ? `input_name=${quote(wanted)}` : '';
      return statement.span[1] < place.at ? { made: `${statement.name}(${given})` } : undefined;
    }
    const held = variableOf(input, place, statement);
    if (held !== undefined) return { made: held };
    // A reader of this project's form takes any loader.
    if (parameters[0]?.name !== 'loader' || parameters.slice(1).some((one) => !one.default)) continue;
    const loader = loadersAt(input, place, 'calibration').find(({ isRandom }) => !isRandom);
    if (!loader) continue;
    const name = place.exported?.input?.name;
    const given = name === undefined ? '' : `, input_name=${quote(name)}`;
    return { made: `${statement.name}(${loader.name}${given})`, loader };
  }
  return undefined;
}

function isReader({ bases }: ClassStatement, scope: Scope): boolean {
  return bases.some(({ value }) => pathOf(value, scope.parent ?? scope)?.endsWith('CalibrationDataReader'));
}

function variableOf(
  { program }: InsertionInput,
  { at }: Place,
  { name }: ClassStatement,
): string | undefined {
  const maker = program.calls.find(
    ({ expression, statement: around }) =>
      expression.callee.kind === 'name' &&
      expression.callee.name === name &&
      around.kind === 'assign' &&
      around.span[1] < at,
  );
  const target = maker?.statement.kind === 'assign' ? maker.statement.targets[0] : undefined;
  return target?.kind === 'name' ? target.name : undefined;
}
