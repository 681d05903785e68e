/** S25: eval() and train() of an exported program. */
import { type Event, type Flow, madeBy } from '../../script/flow';
import { inFlows, type ScriptRule } from './script-rule';

const exporters = new Set([
  'torch.export.export',
  'torch.export.export_for_training',
  'torch._export.capture_pre_autograd_graph',
]);

export const s25: ScriptRule<'S25'> = {
  code: 'S25',
  severity: 'error',
  title: 'eval() or train() on an exported program',
  documentation: {
    trigger:
      '`.eval()` or `.train()` on what `torch.export.export(…).module()` gave, also after `prepare_pt2e`.',
    why: 'An exported program has its mode compiled in; the call raises.',
    remedy: 'Use `move_exported_model_to_eval(model)` or `move_exported_model_to_train(model)`.',
    source: 'torchao pt2e_quant_qat.',
  },
  check(facts) {
    return inFlows(facts, modeChanges).map(({ call }) => ({
      facts: { subject: `.${call.name}()`, instead: `move_exported_model_to_${call.name}` },
      span: call.nameSpan,
    }));
  },
};

function modeChanges(flow: Flow): readonly Event[] {
  return [...flow.events].flatMap(([object, events]) => {
    const maker = madeBy(object)?.path;
    if (maker === undefined || !exporters.has(maker)) return [];
    return events.filter(
      ({ role, call }) => role === 'receiver' && (call.name === 'eval' || call.name === 'train'),
    );
  });
}
