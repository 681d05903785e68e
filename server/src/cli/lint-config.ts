/**
 * Severities and thresholds for `lint --config FILE`: JSON with comments, `{"severity": {…}, "thresholds": {…}}`, or a
 * `.vscode/settings.json` with the editor's own keys. What is not known is refused: a misspelt code would silence nothing.
 */
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { openFile } from '../engine/base/byte-source';
import { nearestName } from '../engine/base/format-names';
import { type Issue, issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { manifestSettings } from '../rules/docs';
import { modelRules, type SeveritySettings } from '../rules/index';
import { isWithin, type ThresholdSettings, thresholdTable } from '../rules/thresholds';

export interface LintConfig {
  readonly severities: SeveritySettings;
  readonly thresholds: ThresholdSettings;
}

const levels = ['error', 'warning', 'information', 'hint', 'off'];

/** Reads a file; defaults without one. Issues: those of reading a file, `recipe-value` per wrong key or value. */
export function readLintConfig(file: string | undefined): Outcome<LintConfig> {
  if (file === undefined) return ok({ severities: {}, thresholds: {} });
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const text = new TextDecoder().decode(opened.value.read(0, opened.value.size));
  opened.value.close();
  return parseLintConfig(text, file);
}

export function parseLintConfig(text: string, path: string): Outcome<LintConfig> {
  const errors: ParseError[] = [];
  const root: unknown = parse(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error || !isObject(root)) {
    const reason = error ? printParseErrorCode(error.error) : 'the top level is not an object';
    return fail(issue('recipe-value', { key: path, reason, expected: 'a JSON object' }, { path }));
  }
  const issues: Issue[] = [];
  const wrong = (key: string, reason: string, expected: string) => {
    issues.push(issue('recipe-value', { key, reason, expected }, { path }));
  };
  const section = (name: 'severity' | 'thresholds') => {
    const value = root[name] ?? root[`quantlens.${name}`] ?? {};
    if (isObject(value)) return Object.entries(value);
    wrong(name, `found ${JSON.stringify(value)}`, 'an object');
    return [];
  };
  // Settings of an editor hold much else; a file of our own holds nothing else.
  const own = !Object.keys(root).some((key) => key.includes('.'));
  for (const key of own ? Object.keys(root) : []) {
    if (!['severity', 'thresholds', '$schema'].includes(key))
      wrong(key, 'unknown key', 'severity, thresholds');
  }
  const codes = Object.keys(manifestSettings().severity);
  const severities: Record<string, string> = {};
  for (const [code, level] of section('severity')) {
    if (!codes.includes(code)) wrong(`severity.${code}`, 'unknown code', near(code, codes));
    else if (typeof level !== 'string' || !levels.includes(level))
      wrong(`severity.${code}`, `found ${JSON.stringify(level)}`, `one of ${levels.join(', ')}`);
    else severities[code] = level;
  }
  const table = thresholdTable(modelRules);
  const thresholds: Record<string, number> = {};
  for (const [key, value] of section('thresholds')) {
    const threshold = table[key];
    if (!threshold) wrong(`thresholds.${key}`, 'unknown threshold', near(key, Object.keys(table)));
    else if (typeof value !== 'number' || !isWithin(threshold, value))
      wrong(
        `thresholds.${key}`,
        `found ${JSON.stringify(value)}`,
        `a number from ${threshold.minimum} to ${threshold.maximum}`,
      );
    else thresholds[key] = value;
  }
  return issues.length > 0 ? fail(...issues) : ok({ severities, thresholds });
}

function near(name: string, names: readonly string[]): string {
  return nearestName(name, names) ?? `one of ${names.slice(0, 8).join(', ')}, …`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
