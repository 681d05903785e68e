/** The documentation page of the findings, generated from the rules; a test holds docs/findings.md to it. */
import { modelRules } from './index';

const repository = 'https://github.com/quantlens/quantlens/blob/main';

/** Address of a finding's documentation, for diagnostics and SARIF. */
export function documentationUrl(code: string): string {
  return `${repository}/docs/findings.md#${code.toLowerCase()}`;
}

const fixTexts = {
  'quantize-int4': 'Quantize to int4',
  'quantize-int8': 'Quantize to int8',
  'keep-float': 'Keep in float',
  'per-channel-weights': 'Use per-channel weights',
  'fold-batchnorm': 'Fold BatchNormalization',
} as const;

/** Markdown of docs/findings.md. */
export function findingsPage(): string {
  const sections = [...modelRules]
    .sort((one, other) => one.code.localeCompare(other.code))
    .map((rule) => {
      const { trigger, why, remedy, source } = rule.documentation;
      const fixes = rule.fixes.map((fix) => `*${fixTexts[fix]}*`).join(', ');
      return [
        `## ${rule.code}`,
        `**${rule.title}** · default severity with a recipe: ${rule.severity}`,
        `**When.** ${trigger}`,
        `**Why.** ${why}`,
        `**What to do.** ${remedy}`,
        ...(fixes === '' ? [] : [`**Quick fixes.** ${fixes}`]),
        `**Source.** ${source}`,
      ].join('\n\n');
    });
  const head = [
    '# Findings on models',
    'Generated from `server/src/rules/model/`; do not edit.',
    'Without a recipe a float model is judged against w8a8 with one weight scale per tensor, and findings are information. ' +
      'With a recipe beside the model they are judged against its plan. Severities are set per code in `quantlens.severity`; `off` removes a finding. ' +
      'A gain is stated only where it was measured.',
  ];
  return `${[...head, ...sections].join('\n\n')}\n`;
}
