/** A run in words: its row in the tree, its tooltip, and the table that is copied. */
import * as vscode from 'vscode';
import type { RunRecord } from '../../server/src/protocol/views';

/** `Calibrate w8a8`. */
export function runTitle({ kind, scheme }: RunRecord): string {
  const title = kindText(kind);
  return scheme === undefined ? title : `${title} ${scheme}`;
}

/** `33.1 dB · net.onnx · 128 samples · 2.3 s · 10:24`; the model only where it is not told already. */
export function runFigures(run: RunRecord, model: string | undefined): string {
  const parts = [
    run.state === 'done' ? undefined : stateText(run.state),
    run.output && decibelsText(run),
    model,
    run.samples === undefined ? undefined : samplesText(run.samples),
    secondsText(run.seconds),
    timeText(run.finishedAt),
    fromText(run),
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** Label and value of everything a record tells. */
export function runDetails(run: RunRecord): readonly (readonly [string, string])[] {
  const all: readonly (readonly [string, string | undefined])[] = [
    [vscode.l10n.t('Run'), runTitle(run)],
    [vscode.l10n.t('Model'), vscode.Uri.parse(run.modelUri).fsPath],
    [vscode.l10n.t('State'), stateText(run.state)],
    [vscode.l10n.t('Range estimator'), run.estimator],
    [vscode.l10n.t('Calibration data'), run.source],
    [vscode.l10n.t('Samples'), run.samples?.toLocaleString()],
    [vscode.l10n.t('Output'), run.output && outputText(run)],
    [outputLabel(run), run.outputUri && vscode.Uri.parse(run.outputUri).fsPath],
    [vscode.l10n.t('Run from'), fromText(run)],
    [vscode.l10n.t('Duration'), secondsText(run.seconds)],
    [vscode.l10n.t('Finished'), new Date(run.finishedAt).toLocaleString()],
  ];
  return all.flatMap(([label, value]) => (value === undefined ? [] : [[label, value] as const]));
}

/** What a tooltip tells below the sentence of a run: everything but the output that the sentence tells already. */
export function detailsBelowSummary(run: RunRecord): readonly (readonly [string, string])[] {
  const told = run.output && run.summary.includes(decibelsText(run)) ? outputText(run) : undefined;
  return runDetails(run).filter(([, value]) => value !== told);
}

/** The runs as one Markdown table. */
export function runsMarkdown(runs: readonly RunRecord[]): string {
  const head = [
    vscode.l10n.t('Run'),
    vscode.l10n.t('Model'),
    vscode.l10n.t('State'),
    vscode.l10n.t('Range estimator'),
    vscode.l10n.t('Samples'),
    vscode.l10n.t('Output'),
    vscode.l10n.t('Duration'),
    vscode.l10n.t('Finished'),
  ];
  const rows = runs.map((run) => [
    runTitle(run),
    vscode.workspace.asRelativePath(vscode.Uri.parse(run.modelUri)),
    stateText(run.state),
    run.estimator ?? '–',
    run.samples?.toString() ?? '–',
    run.output ? outputText(run) : '–',
    secondsText(run.seconds),
    new Date(run.finishedAt).toISOString(),
  ]);
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''].join('\n');
}

function decibelsText({ output }: Pick<RunRecord, 'output'>): string {
  return output?.sqnr === null || output === undefined ? '–' : `${output.sqnr.toFixed(1)} dB`;
}

function outputText({ output }: RunRecord): string {
  const sqnr = decibelsText({ output });
  const agreement = output?.topOneAgreement;
  return agreement === null || agreement === undefined
    ? sqnr
    : vscode.l10n.t('{0}, top-1 agreement {1} %', sqnr, (agreement * 100).toFixed(2));
}

/** A comparison reads its second file; other runs write theirs. */
function outputLabel({ kind }: RunRecord): string {
  return kind === 'compare' ? vscode.l10n.t('Compared file') : vscode.l10n.t('File written');
}

function fromText({ from }: RunRecord): string | undefined {
  return from === 'command-line' ? vscode.l10n.t('command line') : undefined;
}

function samplesText(samples: number): string {
  return samples === 1 ? vscode.l10n.t('1 sample') : vscode.l10n.t('{0} samples', samples);
}

function secondsText(seconds: number): string {
  return seconds < 60
    ? vscode.l10n.t('{0} s', seconds.toFixed(1))
    : vscode.l10n.t('{0} min', (seconds / 60).toFixed(1));
}

/** The time of today's runs, the day of others. */
function timeText(at: number): string {
  const when = new Date(at);
  const isToday = when.toDateString() === new Date().toDateString();
  return isToday
    ? when.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
    : when.toLocaleDateString();
}

function kindText(kind: RunRecord['kind']): string {
  switch (kind) {
    case 'calibrate':
      return vscode.l10n.t('Calibrate');
    case 'quantize':
      return vscode.l10n.t('Quantize');
    case 'compare':
      return vscode.l10n.t('Compare');
    case 'output-effect':
      return vscode.l10n.t('Output effect');
    case 'analyze':
      return vscode.l10n.t('Analyze');
    case 'evaluate':
      return vscode.l10n.t('Evaluate');
  }
}

function stateText(state: RunRecord['state']): string {
  switch (state) {
    case 'done':
      return vscode.l10n.t('done');
    case 'cancelled':
      return vscode.l10n.t('cancelled');
    case 'failed':
      return vscode.l10n.t('failed');
  }
}
