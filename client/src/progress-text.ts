/** Progress of a job in words and real units: "calibrating: 37/128 samples". */
import * as vscode from 'vscode';
import type { Progress, ProgressStage } from '../../server/src/protocol/progress';

/** What a stage of a job is called while it runs. */
export function stageText(stage: ProgressStage): string {
  switch (stage) {
    case 'read':
      return vscode.l10n.t('reading the model');
    case 'weights':
      return vscode.l10n.t('analysing weights');
    case 'shapes':
      return vscode.l10n.t('inferring shapes');
    case 'calibrate':
      return vscode.l10n.t('calibrating');
    case 'measure':
      return vscode.l10n.t('measuring layers');
    case 'quantize':
      return vscode.l10n.t('quantizing');
    case 'export':
      return vscode.l10n.t('writing the model');
    case 'verify':
      return vscode.l10n.t('running the written model');
    case 'evaluate':
      return vscode.l10n.t('evaluating');
    case 'compare':
      return vscode.l10n.t('comparing');
    case 'fingerprint':
      return vscode.l10n.t('fingerprinting');
  }
}

export function unitText(unit: Progress['unit']): string {
  switch (unit) {
    case 'samples':
      return vscode.l10n.t('samples');
    case 'layers':
      return vscode.l10n.t('layers');
    case 'bytes':
      return vscode.l10n.t('bytes');
    case 'steps':
      return vscode.l10n.t('steps');
    case 'files':
      return vscode.l10n.t('files');
  }
}

export function progressText({ stage, done, total, unit, detail }: Progress): string {
  // Bytes are only written and read, the percentage of the bar says how far; paths are too long for one line.
  if (unit === 'bytes') return stageText(stage);
  const amount =
    total > 0
      ? vscode.l10n.t('{0}: {1}/{2} {3}', stageText(stage), done, total, unitText(unit))
      : vscode.l10n.t('{0}: {1} {2}', stageText(stage), done, unitText(unit));
  return detail === undefined ? amount : `${amount} · ${detail}`;
}
