/** S35: automatic placement in a training script. */
import { argument, argumentValue, type Call } from '../../script/program';
import { stringOf } from '../../script/values';
import { callsLike, type ScriptRule } from './script-rule';

export const s35: ScriptRule<'S35'> = {
  code: 'S35',
  severity: 'information',
  title: 'device_map="auto" with quantized training',
  documentation: {
    trigger:
      '`from_pretrained(…, device_map="auto", quantization_config=…)` gives the model that goes to `prepare_model_for_kbit_training`.',
    why: 'Automatic placement is meant for inference. With one GPU it does no harm; with several it splits the layers over them, which breaks training by several processes, and layers that land on the CPU cannot be trained.',
    remedy: 'Place the model yourself: `device_map={"": torch.cuda.current_device()}`.',
    source: 'Transformers documentation, bitsandbytes, note on training.',
  },
  check(facts) {
    const loads = callsLike(facts, isKeptLoad);
    return callsLike(facts, preparesForTraining)
      .flatMap((training) => loadedFor(training, loads))
      .flatMap((load) => {
        const written = argument(load, 'device_map');
        if (!written || written === 'hidden' || !isQuantized(load)) return [];
        if (stringOf(argumentValue(load, 'device_map')) !== 'auto') return [];
        return [{ facts: { subject: 'device_map="auto"' }, span: written.span }];
      });
  },
};

function isKeptLoad({ name, statement }: Call): boolean {
  return name === 'from_pretrained' && statement.kind === 'assign';
}

function preparesForTraining({ name }: Call): boolean {
  return name === 'prepare_model_for_kbit_training';
}

/** Loads of the variable that is trained: the last before, and those of the other branches of the same choice. */
function loadedFor(training: Call, loads: readonly Call[]): readonly Call[] {
  const [first] = training.expression.args;
  if (first?.value.kind !== 'name') return [];
  const { name } = first.value;
  const earlier = loads.filter(
    ({ function: owner, statement }) =>
      owner === training.function &&
      statement.span[1] <= training.expression.span[0] &&
      statement.kind === 'assign' &&
      statement.targets.some((target) => target.kind === 'name' && target.name === name),
  );
  const certain = earlier.findLastIndex(({ conditional }) => !conditional);
  return earlier.slice(Math.max(0, certain));
}

function isQuantized(load: Call): boolean {
  return ['quantization_config', 'load_in_4bit', 'load_in_8bit'].some((name) => {
    const given = argument(load, name);
    return given !== undefined && given !== 'hidden';
  });
}
