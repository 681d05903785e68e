/** Findings as SARIF 2.1.0 (OASIS), for code review and CI. */
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Issue } from '../protocol/issues';
import { modelRules } from '../rules/index';
import { sentence } from '../rules/words';
import { version } from './version';

const levels = { error: 'error', warning: 'warning', information: 'note', hint: 'note' } as const;

export function sarif(issues: readonly Issue[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'quantlens',
            version,
            rules: modelRules.map((rule) => ({
              id: rule.code,
              shortDescription: { text: rule.title },
              fullDescription: { text: rule.documentation.why },
              defaultConfiguration: { level: levels[rule.severity] },
            })),
          },
        },
        results: issues.map((one) => ({
          ruleId: one.code,
          level: levels[one.severity],
          message: {
            text: one.anchor.layer === undefined ? sentence(one) : `${one.anchor.layer}: ${sentence(one)}`,
          },
          locations: [location(one)],
        })),
      },
    ],
  };
}

function location(one: Issue): object {
  const { path: file, span, layer } = one.anchor;
  return {
    ...(file === undefined
      ? {}
      : {
          physicalLocation: {
            artifactLocation: {
              uri: path.isAbsolute(file)
                ? pathToFileURL(file).href
                : file.split(path.sep).map(encodeURIComponent).join('/'),
            },
            ...(span ? { region: { charOffset: span[0], charLength: span[1] - span[0] } } : {}),
          },
        }),
    ...(layer === undefined ? {} : { logicalLocations: [{ name: layer, kind: 'element' }] }),
  };
}
