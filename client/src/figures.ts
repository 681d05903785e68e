/** Figures of a layer in words, the same in tree and tooltips. */
import * as vscode from 'vscode';
import type { Effect, ErrorCell, Verdict } from '../../server/src/protocol/views';

/** `39.6 dB`; `≈ 39.6 dB` when estimated; `–` where undefined. */
export function cellText({ db, basis }: ErrorCell): string {
  if (db === null) return '–';
  return `${basis === 'estimated' ? '≈ ' : ''}${db.toFixed(1)} dB`;
}

/** `int8.channel weight`, `w8a8 local`. */
export function formatCell({ format, effect }: ErrorCell): string {
  return `${format} ${effectText(effect)}`;
}

export function verdictText(verdict: Verdict): string {
  switch (verdict) {
    case 'good':
      return vscode.l10n.t('good');
    case 'watch':
      return vscode.l10n.t('watch');
    case 'bad':
      return vscode.l10n.t('bad');
    case 'unknown':
      return vscode.l10n.t('not measured');
  }
}

/** A verdict as the sign it has everywhere. */
export function verdictGlyph(verdict: Verdict): string {
  return { good: '✓', watch: '△', bad: '✗', unknown: '' }[verdict];
}

export function effectText(effect: Effect): string {
  switch (effect) {
    case 'weight':
      return vscode.l10n.t('weight');
    case 'local':
      return vscode.l10n.t('local');
    case 'cumulative':
      return vscode.l10n.t('cumulative');
    case 'output':
      return vscode.l10n.t('output');
  }
}
