/** Diagnostics: syntax, findings on the nodes of their layers, and what is wrong with a recipe's rules. */
import type { Diagnostic } from 'vscode-languageserver-types';
import type { Outcome } from '../../engine/base/outcome';
import type { Issue } from '../../protocol/issues';
import type { AnalysisReport } from '../../protocol/reports';
import { recipeIssues } from '../../rules/recipe-issues';
import { diagnosticOf, type Span } from '../convert';
import { recipeStart } from '../recipe-places';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';

/**
 * @param inspect header of the model a recipe names, by the path written there.
 */
export function diagnostics(
  snapshot: Snapshot,
  inspect: (model: string) => Outcome<AnalysisReport>,
): Diagnostic[] {
  return snapshot.kind === 'text' ? textDiagnostics(snapshot) : recipeDiagnostics(snapshot, inspect);
}

function textDiagnostics(snapshot: TextSnapshot): Diagnostic[] {
  const { document, parsed, model } = snapshot;
  const graph = parsed.document.graphs[0]?.span ?? [0, 0];
  const place = (issue: Issue): Span => {
    if (issue.anchor.span) return issue.anchor.span;
    const node = issue.anchor.layer === undefined ? undefined : snapshot.layers.nodeOf(issue.anchor.layer);
    return node?.opSpan ?? graph;
  };
  return [...parsed.issues, ...model.findings].map((issue) => diagnosticOf(document, issue, place(issue)));
}

function recipeDiagnostics(
  snapshot: RecipeSnapshot,
  inspect: (model: string) => Outcome<AnalysisReport>,
): Diagnostic[] {
  const { parsed, document, model } = snapshot;
  const start = recipeStart(parsed);
  const found = recipeIssues(parsed, inspect).map((issue) =>
    diagnosticOf(document, issue, issue.anchor.span ?? start),
  );
  const planned = (model?.findings ?? []).map((issue) =>
    diagnosticOf(document, issue, ruleSpan(snapshot, issue) ?? start),
  );
  return [...found, ...planned];
}

/** The rule that decides about an issue's layer. */
function ruleSpan({ parsed }: RecipeSnapshot, issue: Issue): Span | undefined {
  const { layer } = issue.anchor;
  if (layer === undefined || !parsed.recipe) return undefined;
  const index = parsed.recipe.layers.findLastIndex((rule) => rule.match === layer);
  return parsed.spans.rules[index]?.span ?? parsed.spans.values.get('default')?.value;
}
