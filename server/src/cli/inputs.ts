/** The files a command reads: none of them may be written over, whatever `-o` says. */
import type { Engine } from '../engine/index';

/** The model, its external data and whatever else the flags name; names that are no files do no harm. */
export function inputFiles(
  engine: Engine,
  model: string,
  others: readonly (string | undefined)[] = [],
): readonly string[] {
  const external = engine.model(model).value?.external.opened() ?? [];
  return [model, ...external.map((file) => file.path), ...others.filter((file) => file !== undefined)];
}
