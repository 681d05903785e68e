/** Diagnostics of a script: findings of its rules, and those on the layers its lines make. */
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { type Diagnostic, DiagnosticTag, type Range } from 'vscode-languageserver-types';
import type { Issue } from '../../../protocol/issues';
import type { AnalyzedScript } from '../../../rules/script/analyze';
import { scriptWords } from '../../../rules/words-script-editor';
import { diagnosticOf, type Span } from '../../convert';
import { type TiedLayers, tiedCalls } from '../../script-layers';
import type { ScriptSnapshot } from '../../snapshot';
import { namedModelDiagnostics } from './named-model';

export function scriptDiagnostics(snapshot: ScriptSnapshot): Diagnostic[] {
  const { document, script, places } = snapshot;
  return [
    ...ruleDiagnostics(document, script, places.range),
    ...ofLayers(snapshot),
    ...namedModelDiagnostics(snapshot),
  ];
}

/** Findings of the rules alone. */
export function ruleDiagnostics(
  document: TextDocument,
  script: Pick<AnalyzedScript, 'findings'>,
  rangeOf: (span: Span) => Range | undefined,
): Diagnostic[] {
  return script.findings.flatMap(({ rule, finding, issue }): Diagnostic[] => {
    const range = rangeOf(finding.span);
    if (!range) return [];
    const made = { ...diagnosticOf(document, issue, [0, 0]), range };
    // What raises is not merely old.
    const isOld = rule.deprecated && issue.severity !== 'error';
    return [isOld ? { ...made, tags: [DiagnosticTag.Deprecated] } : made];
  });
}

/** One per code and call, however many layers a call makes. Never more than information: the script is not at fault. */
function ofLayers(snapshot: ScriptSnapshot): Diagnostic[] {
  const { document, places, script } = snapshot;
  return tiedCalls(snapshot, snapshot.knownTies()).flatMap((call) => {
    const range = places.range(call.span);
    if (!range) return [];
    return [...findingsOf(call)].flatMap(([code, found]): Diagnostic[] => {
      const [first, ...more] = found;
      if (!first || script.suppressions.covers(code, call.span)) return [];
      const severity = first.severity === 'hint' ? 'hint' : 'information';
      const made = diagnosticOf(document, { ...first, severity }, [0, 0]);
      const message =
        more.length > 0 ? `${made.message} (${scriptWords.andMoreLayers(more.length)})` : made.message;
      return [{ ...made, range, message }];
    });
  });
}

function findingsOf({ model, layers }: TiedLayers): ReadonlyMap<string, readonly Issue[]> {
  const mine = new Set(layers.map(({ name }) => name));
  const found = new Map<string, Issue[]>();
  for (const issue of model.findings) {
    if (issue.anchor.layer === undefined || !mine.has(issue.anchor.layer)) continue;
    const list = found.get(issue.code);
    if (list) list.push(issue);
    else found.set(issue.code, [issue]);
  }
  return found;
}
