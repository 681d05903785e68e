/** What a calibration has to be told of a model's inputs beside the data. Pure. */
import type { InputQuestions, ModelView } from '../../server/src/protocol/views';

/** Integers that index a table: tokens, categories. */
const indexTypes: readonly string[] = ['int32', 'int64'];

/** Undefined until the model's header was read. */
export function inputQuestions(view: Pick<ModelView, 'inputs'> | undefined): InputQuestions | undefined {
  const inputs = view?.inputs;
  if (!inputs || inputs.length === 0) return undefined;
  // The first axis counts samples; the engine binds it to the batch.
  const free = inputs.flatMap(({ shape }) => (shape ?? []).slice(1).filter((one) => typeof one === 'string'));
  return {
    dimensions: [...new Set(free)].filter((name) => name !== ''),
    areIndices: inputs.every(({ type }) => indexTypes.includes(type)),
  };
}
