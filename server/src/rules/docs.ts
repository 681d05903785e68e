/**
 * The documentation pages of the findings, one per family with an anchor per code, and their index; generated from the
 * rules by `npm run docs`. A test holds docs/findings.md and docs/findings/ to it.
 */

import { type Family, findingFamilies } from '../protocol/families';
import type { Issue, IssueCode } from '../protocol/issues';
import { examples } from './examples';
import { modelRules } from './index';
import { recipeFindings } from './recipe-documentation';
import type { ModelRule } from './rule';
import { scriptExamples } from './script/examples';
import { scriptRules } from './script/index';
import { thresholdTable } from './thresholds';
import { fixTitles, sentence } from './words';

export { findingUrl as documentationUrl } from '../protocol/families';

/** True when a page explains this code. */
export function isDocumented(code: string): boolean {
  return [...modelRules, ...recipeFindings, ...scriptRules].some((one) => one.code === code);
}

const titles: Readonly<Record<Family, string>> = {
  weights: 'Findings on weights',
  activations: 'Findings on activations and measured error',
  graph: 'Findings on the graph',
  execution: 'Findings on execution',
  recipe: 'Findings on recipes',
  'script-torch': 'Findings on scripts: quantization in PyTorch',
  'script-weight-only': 'Findings on scripts: weight-only quantization of language models',
  'script-export': 'Findings on scripts: onnxruntime, exporters, TensorFlow',
};

const scriptManners =
  'Read from the text of the script; nothing is run. Rules that follow a network through the program are silent unless they are sure. ' +
  'Silence one with `# quantlens: ignore[S24]` on its line or the line above, or for the file with `# quantlens: ignore-file[S24]`.';

const openings: Readonly<Record<Family, string>> = {
  weights:
    'What the weights alone show: no data is needed, and the gain of a remedy is measured on the weight. With data the gain at the output is measured too.',
  activations:
    'What only data shows: ranges, clipping, levels, the mean and the length of what a layer gives. Needs `analyze --data` or a calibration in the editor; without data these findings are silent.',
  graph: 'How operators stand together.',
  execution: 'What kernels do with the codes: saturation, overflow, operators that run in float.',
  recipe: 'What is wrong with a recipe (`NAME.quant.json`), with or without its model.',
  'script-torch': `Eager, FX and PT2E quantization, quantization-aware training, quantizers of your own. ${scriptManners}`,
  'script-weight-only': `torchao, bitsandbytes, GPTQ. ${scriptManners}`,
  'script-export': `onnxruntime.quantization, torch.onnx.export, Optimum, TensorFlow Lite. ${scriptManners}`,
};

type Documented = Pick<ModelRule, 'severity' | 'title' | 'documentation'> & {
  readonly code: IssueCode;
} & Partial<Pick<ModelRule, 'thresholds' | 'fixes'>>;

/** Text per file name below docs/. */
export function findingPages(): Readonly<Record<string, string>> {
  const pages = Object.keys(findingFamilies).map((name) => {
    const family = name as Family;
    const sections = documented(family).map(section);
    const head = [
      `# ${titles[family]}`,
      'Generated from `server/src/rules/`; do not edit.',
      `${openings[family]} [All findings](../findings.md).`,
    ];
    return [`findings/${family}.md`, page([...head, ...sections])] as const;
  });
  return { 'findings.md': indexPage(), ...Object.fromEntries(pages) };
}

function documented(family: Family): readonly Documented[] {
  const all: readonly Documented[] = [...modelRules, ...recipeFindings, ...scriptRules];
  return all
    .filter(({ code }) => findingFamilies[family].includes(code))
    .sort((one, other) => one.code.localeCompare(other.code));
}

function indexPage(): string {
  const rows = (Object.keys(findingFamilies) as Family[]).flatMap((family) =>
    documented(family).map(
      ({ code, title, severity }) =>
        `| [${code}](findings/${family}.md#${code.toLowerCase()}) | ${title} | ${severity} |`,
    ),
  );
  return page([
    '# Findings',
    'Generated from `server/src/rules/`; do not edit.',
    'Without a recipe a float model is judged against w8a8 with one weight scale per tensor, and findings are information. ' +
      'With a recipe beside the model they are judged against its plan, and a file that is quantized already against itself. ' +
      'A gain is stated only where it was measured; where nothing was measured nothing is claimed.',
    ['| code | finding | severity with a recipe |', '|---|---|---|', ...rows].join('\n'),
    'A worked example on a real file: [a failed MobileNetV2, explained and repaired](case-mobilenet.md).',
    configuration,
  ]);
}

const configuration = `## Severities, thresholds, suppression
| what | in the editor | on the command line |
|---|---|---|
| severity of a code: \`error\`, \`warning\`, \`information\`, \`hint\`, \`off\` | \`"quantlens.severity": {"M21": "off"}\` | \`lint --config FILE\` |
| threshold of a finding, \`CODE.name\` as its section lists | \`"quantlens.thresholds": {"M01.spread": 12}\` | \`lint --config FILE\` |
| one finding in one place | a comment in the recipe | the same comment |

\`FILE\` is JSON with comments and holds \`{"severity": {…}, "thresholds": {…}}\`; a \`.vscode/settings.json\` with the editor's own keys
is accepted too, so that editor and pipeline can share one file. A value outside its bounds or an unknown key is an error.

\`// quantlens: ignore[M01, R03]\` in a recipe silences these codes for the rule or key on its own line or, alone on a line, on
the next one; above the opening brace, for the whole recipe and its model. Findings on a layer belong to the rule that
decides about the layer, else to \`default\`. \`ignore\` without brackets silences every finding there.

\`lint\` exits with 0 when nothing of severity error was found, 1 when something was, 2 on bad usage or unreadable input,
3 when the tool itself failed, 130 when cancelled.`;

function section(rule: Documented): string {
  const { trigger, why, remedy, gain, source } = rule.documentation;
  const fixes = (rule.fixes ?? []).map((fix) => `*${fixTitles[fix]}*`).join(', ');
  const limits = Object.entries(rule.thresholds ?? {}).map(
    ([name, limit]) =>
      `| \`${rule.code}.${name}\` | ${limit.description} | ${limit.default} | ${limit.minimum} … ${limit.maximum} |`,
  );
  const script = scriptExampleOf(rule.code);
  const example = exampleOf(rule.code);
  return [
    `## ${rule.code}`,
    `**${rule.title}** · default severity${isScriptCode(rule.code) ? '' : ' with a recipe'}: ${rule.severity}`,
    `**When.** ${trigger}`,
    `**Why.** ${why}`,
    `**What to do.** ${remedy}`,
    ...(isScriptCode(rule.code)
      ? []
      : [
          `**Gain.** ${gain === undefined ? 'None is stated: the remedy cannot be tried without changing the network or the data.' : `Measured: ${gain}`}`,
        ]),
    ...(fixes === '' ? [] : [`**Quick fixes.** ${fixes}`]),
    ...(example === undefined ? [] : [`**Example.** ${example}`]),
    ...(script === undefined ? [] : [script]),
    ...(limits.length === 0
      ? []
      : [['| threshold | compared with | default | bounds |', '|---|---|--:|---|', ...limits].join('\n')]),
    `**Source.** ${source}`,
  ].join('\n\n');
}

function isScriptCode(code: IssueCode): boolean {
  return scriptRules.some((rule) => rule.code === code);
}

function scriptExampleOf(code: IssueCode): string | undefined {
  const found = Object.entries(scriptExamples).find(([name]) => name === code)?.[1];
  if (!found) return undefined;
  const target = found.target === undefined ? '' : ` (target \`${found.target}\`)`;
  return `**Example${target}.**\n\`\`\`python\n${found.text}\n\`\`\``;
}

function exampleOf(code: IssueCode): string | undefined {
  const facts = examples[code];
  if (facts === undefined) return undefined;
  // The table pairs codes with their facts; TypeScript cannot follow that through the union.
  return sentence({ code, facts, anchor: {}, severity: 'warning' } as Issue);
}

function page(parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`;
}

const checks: ReadonlySet<string> = new Set([
  'type',
  'pattern',
  'patternErrorMessage',
  'minLength',
  'minItems',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'additionalProperties',
  'required',
]);

/**
 * A JSON schema that any document fulfils: keys, descriptions and proposals stay, what could be wrong goes. Closed
 * lists and constants become examples, which editors propose as well.
 */
export function withoutChecks(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutChecks);
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    // Below `properties` keys are names of the recipe, whatever they are called.
    if (key === 'properties' && typeof value === 'object' && value !== null)
      return [
        [key, Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withoutChecks(one)]))],
      ];
    if (key === 'enum') return [['examples', value]];
    if (key === 'const') return [['examples', [value]]];
    return checks.has(key) ? [] : [[key, withoutChecks(value)]];
  });
  return Object.fromEntries(entries);
}

/** The settings that follow from the rules, as package.json and package.nls.json hold them; also kept by `npm run docs`. */
export function manifestSettings(): {
  readonly severity: Readonly<Record<string, object>>;
  readonly thresholds: Readonly<Record<string, object>>;
  readonly words: Readonly<Record<string, string>>;
} {
  const documents: readonly Documented[] = [...modelRules, ...recipeFindings, ...scriptRules];
  const found = [...documents].sort((one, other) => one.code.localeCompare(other.code));
  const limits = Object.entries(thresholdTable(modelRules)).sort(([one], [other]) =>
    one.localeCompare(other),
  );
  const levels = ['error', 'warning', 'information', 'hint', 'off'];
  return {
    severity: Object.fromEntries(
      found.map(({ code }) => [
        code,
        { type: 'string', enum: levels, description: `%setting.severity.${code}%` },
      ]),
    ),
    thresholds: Object.fromEntries(
      limits.map(([key, limit]) => [
        key,
        {
          type: 'number',
          default: limit.default,
          minimum: limit.minimum,
          maximum: limit.maximum,
          description: `%setting.thresholds.${key}%`,
        },
      ]),
    ),
    words: Object.fromEntries([
      ...found.map(({ code, title }) => [`setting.severity.${code}`, title]),
      ...limits.map(([key, { description }]) => [
        `setting.thresholds.${key}`,
        `${description.charAt(0).toUpperCase()}${description.slice(1)}`,
      ]),
    ]),
  };
}
