/**
 * Findings as SARIF 2.1.0 (OASIS standard, sections 3.13 to 3.52), for code review and CI: rule metadata with help
 * addresses, regions in texts, layers as logical locations, fingerprints that stay when lines move.
 */
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Issue, Severity } from '../protocol/issues';
import { documentationUrl } from '../rules/docs';
import { modelRules } from '../rules/index';
import { recipeFindings } from '../rules/recipe-documentation';
import { scriptRules } from '../rules/script/index';
import { sentence } from '../rules/words';
import { version } from './version';

const levels = { error: 'error', warning: 'warning', information: 'note', hint: 'note' } as const;

interface RuleMetadata {
  readonly id: string;
  readonly [property: string]: unknown;
}

/**
 * @param textOf text of a file that issues with a span stand in; without it such an issue has no region.
 * @param successful false when a file could not be linted.
 * @param cellOf the cell of a notebook that an issue stands in: `cell 3`.
 */
export function sarif(
  issues: readonly Issue[],
  textOf: (path: string) => string | undefined = () => undefined,
  successful = true,
  cellOf: (one: Issue) => string | undefined = () => undefined,
): object {
  const rules = [...documented(), ...others(issues)];
  const indices = new Map(rules.map(({ id }, index) => [id, index]));
  const seen = new Map<string, number>();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'Quantlens',
            semanticVersion: version,
            version,
            informationUri: 'https://github.com/quantlens/quantlens',
            rules,
          },
        },
        columnKind: 'utf16CodeUnits',
        invocations: [{ executionSuccessful: successful }],
        results: issues.map((one) => {
          const cell = cellOf(one);
          const where = one.anchor.layer ?? one.anchor.node ?? cell;
          const fingerprint = fingerprintOf(one, seen);
          return {
            ruleId: one.code,
            ruleIndex: indices.get(one.code) ?? -1,
            level: levels[one.severity],
            message: { text: where === undefined ? sentence(one) : `${where}: ${sentence(one)}` },
            locations: [location(one, textOf, cell)],
            partialFingerprints: { 'quantlens/v1': fingerprint },
          };
        }),
      },
    ],
  };
}

/** All findings that have a page. */
function documented(): readonly RuleMetadata[] {
  return [...modelRules, ...recipeFindings, ...scriptRules].map((rule) => {
    const { trigger, why, remedy } = rule.documentation;
    return {
      id: rule.code,
      shortDescription: { text: rule.title },
      fullDescription: { text: `${trigger} ${why}` },
      help: { text: remedy, markdown: `**What to do.** ${remedy}` },
      helpUri: documentationUrl(rule.code),
      defaultConfiguration: { level: levels[rule.severity] },
    };
  });
}

/** What else was found: a code is all there is to say. */
function others(issues: readonly Issue[]): readonly RuleMetadata[] {
  const known = new Set<string>(documented().map(({ id }) => id));
  const codes = [...new Set(issues.map(({ code }) => code as string))].filter((code) => !known.has(code));
  const severityOf = (code: string): Severity => issues.find((one) => one.code === code)?.severity ?? 'error';
  return codes.map((code) => ({
    id: code,
    shortDescription: { text: code.replaceAll('-', ' ') },
    helpUri: documentationUrl(code),
    defaultConfiguration: { level: levels[severityOf(code)] },
  }));
}

/**
 * Stays the same when lines move, figures change or files are added: code, file name, layer, node and tensor, and what
 * a recipe's rule matches. A second finding of the same kind is counted.
 */
function fingerprintOf({ code, anchor, facts }: Issue, seen: Map<string, number>): string {
  const { path: file = '', layer = '', node = '', tensor = '' } = anchor;
  const key = 'match' in facts ? facts.match : 'key' in facts ? facts.key : '';
  const text = JSON.stringify([code, path.basename(file), layer, node, tensor, key]);
  const count = seen.get(text) ?? 0;
  seen.set(text, count + 1);
  return createHash('sha256').update(`${text}#${count}`).digest('hex').slice(0, 32);
}

function location(
  one: Issue,
  textOf: (path: string) => string | undefined,
  cell: string | undefined,
): object {
  const { path: file, span, layer, node } = one.anchor;
  const name = layer ?? node ?? cell;
  const text = file === undefined || span === undefined ? undefined : textOf(file);
  return {
    ...(file === undefined
      ? {}
      : {
          physicalLocation: {
            artifactLocation: { uri: uriOf(file) },
            // A model is no text; viewers that show lines want one all the same.
            region: text === undefined || !span ? { startLine: 1 } : regionOf(text, span),
          },
        }),
    ...(name === undefined
      ? {}
      : { logicalLocations: [{ name, fullyQualifiedName: name, kind: 'element' }] }),
  };
}

/** Lines and columns from 1, columns in UTF-16 code units; the end stands behind the last character. */
function regionOf(text: string, [start, end]: readonly [number, number]): object {
  const at = (offset: number) => {
    const before = text.slice(0, offset);
    return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
  };
  const [first, last] = [at(start), at(Math.max(start, end))];
  return {
    startLine: first.line,
    startColumn: first.column,
    endLine: last.line,
    endColumn: last.column,
    charOffset: start,
    charLength: Math.max(0, end - start),
  };
}

/** Relative to the working directory where it lies below it, as code review wants it. */
function uriOf(file: string): string {
  const relative = path.relative(process.cwd(), path.resolve(file));
  if (relative === '' || relative.startsWith('..') || path.isAbsolute(relative))
    return pathToFileURL(file).href;
  return relative.split(path.sep).map(encodeURIComponent).join('/');
}
