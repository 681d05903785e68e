/** `evaluate MODEL --data SRC [--labels L | --against FLOAT]`: accuracy, agreement, cross-entropy. */
import { issue } from '../../engine/base/issue';
import { percent } from '../../rules/numbers';
import { reported } from '../../rules/words';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { judged } from '../report';
import { exitCodes, failed, runCommand } from '../run';

export interface EvaluateFlags extends GlobalFlags, DataFlags {
  readonly labels?: string;
  readonly against?: string;
  readonly task?: 'classify' | 'next-token';
}

export function evaluate(model: string, flags: EvaluateFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe, note }) => {
    const data = dataSpec(flags, recipe?.data);
    if (!data) return failed(terminal, [issue('data-not-found', { source: '--data' })]);
    const task = flags.task ?? 'classify';
    if (task === 'classify' && flags.labels === undefined && flags.against === undefined) {
      return failed(terminal, [
        issue('recipe-value', {
          key: '--labels or --against',
          reason: 'neither is given',
          expected: 'one of them',
        }),
      ]);
    }
    note.add({ kind: 'evaluate', model, source: data.source });
    const end = await engine.run(
      { kind: 'evaluate', model, data, labels: flags.labels, against: flags.against, task, ...common },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const report = end.value;
    note.add({
      samples: report.samples,
      ...(report.top1 === null ? {} : { summary: `Top-1 ${percent(report.top1)}.` }),
    });
    if (report.sqnr !== null)
      note.addOutput({ sqnr: report.sqnr, topOneAgreement: report.agreement }, 'deployed');
    if (terminal.json) terminal.document({ ...report, issues: report.issues.map(reported) });
    else {
      const { reference } = report;
      const beside = (text: string) => (reference ? `  (${flags.against}: ${text})` : '');
      const lines = [
        `samples        ${report.samples}`,
        report.top1 === null
          ? undefined
          : `top-1          ${percent(report.top1)}${beside(percent(reference?.top1))}`,
        report.top5 === null
          ? undefined
          : `top-5          ${percent(report.top5)}${beside(percent(reference?.top5))}`,
        report.crossEntropy === null
          ? undefined
          : `cross-entropy  ${nats(report.crossEntropy)}${beside(nats(reference?.crossEntropy))}`,
        report.agreement === null ? undefined : `agreement      ${percent(report.agreement)}`,
        report.sqnr === null ? undefined : `output SQNR    ${judged(report.sqnr)}`,
        report.cosine === null ? undefined : `cosine         ${report.cosine.toFixed(6)}`,
      ];
      terminal.print(lines.filter((text) => text !== undefined).join('\n'));
      terminal.notes(report.issues);
    }
    return exitCodes.done;
  });
}

function nats(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : `${value.toFixed(4)} nats`;
}
