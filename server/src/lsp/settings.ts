/** The user's settings as the client sends them, checked value by value; anything odd falls back to its default. */
import { z } from 'zod';
import { defaultSettings, type Settings } from '../protocol/lsp-ext';
import { modelRules } from '../rules/index';
import { recipeFindings } from '../rules/recipe-documentation';
import { scriptRules } from '../rules/script/index';
import { scriptTargets } from '../rules/script/script-rule';
import { isWithin, thresholdTable } from '../rules/thresholds';
import { settingWords } from '../rules/words-settings';

const count = (fallback: number) => z.number().nonnegative().catch(fallback);
const flag = (fallback: boolean) => z.boolean().catch(fallback);

/** Keeps what has the right type: one wrong value takes no other with it. */
function only(type: 'string'): (given: Readonly<Record<string, unknown>>) => Record<string, string>;
function only(type: 'number'): (given: Readonly<Record<string, unknown>>) => Record<string, number>;
function only(type: 'string' | 'number') {
  return (given: Readonly<Record<string, unknown>>): Record<string, never> =>
    Object.fromEntries(Object.entries(given).filter(([, value]) => typeof value === type)) as Record<
      string,
      never
    >;
}

const schema = z.object({
  threads: count(defaultSettings.threads),
  memoryLimit: count(defaultSettings.memoryLimit),
  cacheSize: count(defaultSettings.cacheSize),
  analyzeOnOpen: count(defaultSettings.analyzeOnOpen),
  codeLens: z
    .object({
      model: flag(defaultSettings.codeLens.model),
      layer: flag(defaultSettings.codeLens.layer),
      recipe: flag(defaultSettings.codeLens.recipe),
      script: flag(defaultSettings.codeLens.script),
      data: flag(defaultSettings.codeLens.data),
      insert: flag(defaultSettings.codeLens.insert),
    })
    .catch(defaultSettings.codeLens),
  inlayHints: flag(defaultSettings.inlayHints),
  outputEffectAfterCalibration: flag(defaultSettings.outputEffectAfterCalibration),
  script: z
    .object({
      enabled: flag(defaultSettings.script.enabled),
      target: z
        .string()
        .refine((target) => scriptTargets.some((known) => known === target))
        .catch(defaultSettings.script.target),
      workspaceDiagnostics: flag(defaultSettings.script.workspaceDiagnostics),
    })
    .catch(defaultSettings.script),
  severity: z.record(z.string(), z.unknown()).transform(only('string')).catch({}),
  thresholds: z.record(z.string(), z.unknown()).transform(only('number')).catch({}),
});

/** Settings from the `quantlens` section; `undefined` and wrong types mean the defaults. */
export function readSettings(section: unknown): Settings {
  const parsed = schema.safeParse(section ?? {});
  return parsed.success ? parsed.data : defaultSettings;
}

const severities: readonly unknown[] = ['error', 'warning', 'information', 'hint', 'off'];
const codes: ReadonlySet<string> = new Set([
  ...[...modelRules, ...scriptRules, ...recipeFindings].map(({ code }) => code),
]);
const limits = thresholdTable(modelRules);

/** What of the `quantlens` section is not obeyed, one line per key with its reason; empty when all is well. */
export function settingProblems(section: unknown): readonly string[] {
  if (!isRecord(section)) return [];
  const { severity, thresholds, ...rest } = section;
  return [
    ...typeProblems('', rest, defaultSettings),
    ...entriesOf('severity', severity, (code, value) => {
      if (!codes.has(code)) return settingWords.noSuchCode;
      return severities.includes(value) ? undefined : settingWords.noSuchSeverity(value);
    }),
    ...entriesOf('thresholds', thresholds, (key, value) => {
      const limit = limits[key];
      if (!limit) return settingWords.noSuchThreshold;
      return typeof value === 'number' && isWithin(limit, value)
        ? undefined
        : settingWords.outside(value, limit.minimum, limit.maximum);
    }),
  ];
}

function entriesOf(
  name: string,
  given: unknown,
  reasonFor: (key: string, value: unknown) => string | undefined,
): readonly string[] {
  if (given === undefined || given === null) return [];
  if (!isRecord(given)) return [settingWords.problem(name, settingWords.wrongType(given, 'object'))];
  return Object.entries(given).flatMap(([key, value]) => {
    const reason = reasonFor(key, value);
    return reason === undefined ? [] : [settingWords.problem(`${name}.${key}`, reason)];
  });
}

/** Values of another type than their default, and numbers below zero. Unknown keys belong to the client. */
function typeProblems(prefix: string, given: object, defaults: object): readonly string[] {
  const known = new Map<string, unknown>(Object.entries(defaults));
  return Object.entries(given).flatMap(([key, value]: [string, unknown]) => {
    const fallback = known.get(key);
    if (fallback === undefined || value === undefined || value === null) return [];
    const name = `${prefix}${key}`;
    if (isRecord(fallback) && isRecord(value)) return typeProblems(`${name}.`, value, fallback);
    if (typeof value !== typeof fallback)
      return [settingWords.problem(name, settingWords.wrongType(value, typeof fallback))];
    if (typeof value === 'number' && value < 0)
      return [settingWords.problem(name, settingWords.negative(value))];
    if (name === 'script.target' && value !== fallback && !scriptTargets.some((target) => target === value))
      return [settingWords.problem(name, settingWords.noSuchTarget(value, scriptTargets))];
    return [];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
