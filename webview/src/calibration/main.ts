/** The calibration panel: a form, then progress and figures while it runs, then the result. */
import type { FromCalibrationPanel, ToCalibrationPanel } from '../../../server/src/protocol/panel';
import { make } from '../shared/dom';
import { connect, say } from '../shared/rpc';
import { registerComponents } from '../shared/toolkit';
import { Form, type StartValues } from './form';
import { Run } from './run';
import { filledIn } from './values';

interface State {
  /** What the user changed in the form, by model. */
  readonly forms: Readonly<Record<string, StartValues>>;
  /** Number of the script's values that were taken over last. */
  readonly prefilled?: number;
}

registerComponents();
const host = connect<FromCalibrationPanel, ToCalibrationPanel, State>();
let forms = host.recall()?.forms ?? {};
/** Model that the form shows. */
let chosen: string | null = null;
let prefilled = host.recall()?.prefilled;

const form = new Form({
  onChange: () => {
    const { modelUri } = form.values();
    if (modelUri === '') return;
    forms = { ...forms, [modelUri]: form.values() };
    host.remember({ forms, prefilled });
  },
  onModel: (uri) => host.post({ type: 'select-model', uri }),
  onPick: (kind) => host.post({ type: 'pick-data', kind }),
  onRun: (request) => host.post({ type: 'run', request }),
  onManageTrust: () => host.post({ type: 'manage-trust' }),
});
const run = new Run({
  onCancel: () => host.post({ type: 'cancel' }),
  onQuantize: (scheme) => host.post({ type: 'quantize', scheme }),
  onReveal: (layer) => host.post({ type: 'reveal', layer }),
  onCopy: (message) => host.post(message),
});

document
  .querySelector('#app')
  ?.append(
    make('h1', { class: 'spoken' }, say('title')),
    form.element,
    run.element,
    make('footer', {}, form.action, run.live),
  );
host.listen(receive);
host.post({ type: 'ready' });

function receive(message: ToCalibrationPanel): void {
  switch (message.type) {
    case 'models': {
      const { models, selected, trusted, defaults, hasRecipe, inputs, isQuantized, prefill } = message;
      if (prefill && selected !== null && prefill.id !== prefilled) {
        prefilled = prefill.id;
        forms = { ...forms, [selected]: { ...defaults, ...forms[selected], ...filledIn(prefill.values) } };
        host.remember({ forms, prefilled });
      }
      form.showOrigin(prefill?.values);
      const kept = selected === null ? undefined : forms[selected];
      form.offerRecipe(hasRecipe ?? false);
      form.setInputs(inputs, isQuantized);
      form.setModels(models, selected, trusted, { ...defaults, ...kept });
      chosen = selected;
      if (!run.fits(chosen)) form.openSettings();
      return;
    }
    case 'picked':
      form.setSource(message.source);
      return;
    case 'started':
      form.setRunning(true);
      // The form may show another model by now: a panel that was hidden hears all of this again.
      run.start(message.request);
      return;
    case 'progress':
      run.progress(message.progress, message.layers);
      return;
    case 'finished':
      form.setRunning(false, message.result.state === 'failed');
      run.finish(message.result);
      if (!run.fits(chosen)) form.openSettings();
      return;
    case 'quantized':
      run.quantized(message.result);
      return;
    default:
      message satisfies never;
  }
}
