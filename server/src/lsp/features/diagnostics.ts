/** Diagnostics: syntax, findings on the nodes of their layers, and what is wrong with a recipe's rules. */

import type { Diagnostic, DiagnosticRelatedInformation, Location } from 'vscode-languageserver-types';
import type { Outcome } from '../../engine/base/outcome';
import { definitionOf, type SyntaxNode } from '../../engine/format/onnx-text';
import { matchLayer } from '../../engine/format/recipe-match';
import type { Issue } from '../../protocol/issues';
import { textViewScheme } from '../../protocol/lsp-ext';
import type { AnalysisReport } from '../../protocol/reports';
import { withSeverities } from '../../rules/index';
import { recipeIssues } from '../../rules/recipe-issues';
import { editorWords } from '../../rules/words';
import { diagnosticOf, rangeOf, type Span } from '../convert';
import { recipeStart } from '../recipe-places';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';
import { type LocateLayer, locationOf } from './definition';

export interface DiagnosticSources {
  /** Header of the model of a recipe. */
  readonly inspect: (path: string) => Outcome<AnalysisReport>;
  readonly locate: LocateLayer;
}

export function diagnostics(snapshot: Snapshot, sources: DiagnosticSources): Diagnostic[] {
  return snapshot.kind === 'text' ? textDiagnostics(snapshot) : recipeDiagnostics(snapshot, sources);
}

function textDiagnostics(snapshot: TextSnapshot): Diagnostic[] {
  const { document, parsed, model } = snapshot;
  // Syntax is told from the text at hand; the file may be older.
  const ofFile = [...(model?.problems ?? []), ...(model?.report?.issues ?? [])].filter(
    (one) => one.code !== 'text-syntax',
  );
  const placed = placesOf(snapshot);
  // The view of a file that cannot be read is no text with mistakes: what went wrong with the file says it all.
  const ofText =
    snapshot.document.uri.startsWith(`${textViewScheme}:`) && model?.problems.length ? [] : parsed.issues;
  return [
    ...ofText.map((issue) => diagnosticOf(document, issue, issue.anchor.span ?? placed.graph)),
    ...[...ofFile, ...(model?.findings ?? [])].map((issue) =>
      diagnosticOf(document, issue, placed.of(issue), textRelated(snapshot, issue)),
    ),
  ];
}

/** Where issues of a model stand in its text: on the operator of their layer or node, on their tensor, or on top. */
function placesOf(snapshot: TextSnapshot): { readonly graph: Span; of(issue: Issue): Span } {
  const { document } = snapshot.parsed;
  const graph = document.graphs.find((one) => one.kind === 'graph' && one.parent < 0)?.span ?? [0, 0];
  const of = ({ anchor }: Issue): Span => {
    const node =
      (anchor.layer === undefined ? undefined : snapshot.layers.nodeOf(anchor.layer)) ??
      (anchor.node === undefined ? undefined : nodeCalled(snapshot, anchor.node));
    if (node) return node.opSpan;
    const tensor = anchor.tensor === undefined ? undefined : definitionOf(document, anchor.tensor, 0);
    return tensor ? [tensor.start, tensor.end] : graph;
  };
  return { graph, of };
}

function nodeCalled({ parsed }: TextSnapshot, name: string): SyntaxNode | undefined {
  const { nodes } = parsed.document;
  return nodes.find((node) => (node.name === '' ? `${node.opType}_${node.nodeIndex}` : node.name) === name);
}

/** The weight a finding speaks of, and the BatchNormalization. */
function textRelated(snapshot: TextSnapshot, issue: Issue): DiagnosticRelatedInformation[] {
  if (!snapshot.client.relatedInformation || issue.anchor.layer === undefined) return [];
  const { tensor } = issue.anchor;
  const node = snapshot.layers.nodeOf(issue.anchor.layer);
  const weight =
    tensor === undefined ? undefined : definitionOf(snapshot.parsed.document, tensor, node?.graphIndex ?? 0);
  const batchNorm = issue.code === 'M03' ? nodeCalled(snapshot, issue.facts.batchNorm) : undefined;
  return [
    ...(weight ? [{ location: locationOf(snapshot, weight), message: 'its weight' }] : []),
    ...(batchNorm
      ? [{ location: locationAt(snapshot, batchNorm.opSpan), message: 'the BatchNormalization' }]
      : []),
  ];
}

function recipeDiagnostics(snapshot: RecipeSnapshot, { inspect, locate }: DiagnosticSources): Diagnostic[] {
  const { parsed, document, model, settings } = snapshot;
  const start = recipeStart(parsed);
  const issues = recipeIssues(parsed, () => inspect(model?.path ?? ''));
  const own = snapshot.client.recipeSchema ? issues.filter((issue) => !saidByEditor(issue)) : issues;
  const found = withSeverities(own, settings.severity).map((issue) =>
    diagnosticOf(document, issue, issue.anchor.span ?? start, recipeRelated(snapshot, issue)),
  );
  const planned = (model?.findings ?? []).map((issue) => {
    const { layer } = issue.anchor;
    const place =
      model && layer !== undefined && snapshot.client.relatedInformation ? locate(model, layer) : undefined;
    const related =
      place && layer !== undefined ? [{ location: place, message: editorWords.layer(layer) }] : [];
    return diagnosticOf(document, issue, ruleSpan(snapshot, issue) ?? start, related);
  });
  return [...found, ...planned];
}

/** Broken JSON and repeated keys, which an editor that knows the schema marks by itself; everything else is ours. */
function saidByEditor({ code, facts }: Issue): boolean {
  return code === 'recipe-syntax' || ('reason' in facts && facts.reason.startsWith('declared twice'));
}

/** The later rule that takes every layer of an idle one. */
function recipeRelated(snapshot: RecipeSnapshot, issue: Issue): DiagnosticRelatedInformation[] {
  if (!snapshot.client.relatedInformation || issue.code !== 'R03') return [];
  const { recipe, spans } = snapshot.parsed;
  const index = recipe?.layers.findLastIndex((rule) => rule.match === issue.facts.by) ?? -1;
  const span = spans.rules[index]?.span;
  return span ? [{ location: locationAt(snapshot, span), message: 'this rule decides' }] : [];
}

/** The rule that decides about an issue's layer, or the default. */
function ruleSpan({ parsed }: RecipeSnapshot, issue: Issue): Span | undefined {
  const { layer } = issue.anchor;
  if (layer === undefined || !parsed.recipe) return undefined;
  const index = matchLayer(parsed.recipe, layer);
  return parsed.spans.rules[index ?? -1]?.match ?? parsed.spans.values.get('default')?.value;
}

function locationAt({ document }: Snapshot, span: Span): Location {
  return { uri: document.uri, range: rangeOf(document, span) };
}
