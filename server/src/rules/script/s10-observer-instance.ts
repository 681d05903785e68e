/** S10: an observer object where a class is wanted. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import { argument } from '../../script/program';
import { callsOf, type ScriptRule, textAt } from './script-rule';

export const s10: ScriptRule<'S10'> = {
  code: 'S10',
  severity: 'error',
  title: 'Observer instance in QConfig',
  documentation: {
    trigger: '`QConfig(activation=MinMaxObserver(…), …)`: an observer or fake quantizer that is called.',
    why: 'QConfig makes a new observer per tensor and needs the class; an instance raises.',
    remedy: 'Pass the class, or `MinMaxObserver.with_args(…)`.',
    source: 'torch/ao/quantization/qconfig.py.',
  },
  check(facts) {
    return callsOf(facts, 'torch.ao.quantization.QConfig', 'torch.ao.quantization.QConfigDynamic').flatMap(
      (call) =>
        (['activation', 'weight'] as const).flatMap((name, position) => {
          const given = argument(call, name, position);
          if (!given || given === 'hidden' || given.value.kind !== 'call') return [];
          const { callee, args, argsSpan, span } = given.value;
          const path = pathOf(callee, call.scope);
          if (path === undefined || !/(Observer|FakeQuantize|FakeQuantizeBase)$/.test(canonicalPath(path)))
            return [];
          const text = args.length === 0 ? '' : `.with_args${textAt(facts, argsSpan)}`;
          return [
            {
              facts: { subject: textAt(facts, span), instead: `${textAt(facts, callee.span)}.with_args` },
              span,
              fix: {
                title: args.length === 0 ? 'Pass the class' : 'Use with_args',
                edits: [{ span: argsSpan, text }],
                safe: true,
              },
            },
          ];
        }),
    );
  },
};
