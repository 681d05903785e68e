/** Lenses on a script: what is known of the model behind a network, and of the model that a call writes. */
import * as path from 'node:path';
import type { CodeLens, Command } from 'vscode-languageserver-types';
import { clientCommands } from '../../../protocol/lsp-ext';
import { worstFigure, worstText } from '../../../rules/model-view';
import { shortBytes } from '../../../rules/numbers';
import { editorWords, fixTitles } from '../../../rules/words';
import { scriptWords } from '../../../rules/words-script-editor';
import { label, type Span, uriOf } from '../../convert';
import { namesOf } from '../../script-layers';
import type { ScriptTie } from '../../script-ties';
import type { ScriptSnapshot } from '../../snapshot';
import type { ModelState } from '../../workspace';
import { dataLenses } from './data';
import { insertLenses } from './insert';

/** A lens that only tells something needs a command without a name. */
const noCommand = '';

export function scriptLenses(snapshot: ScriptSnapshot): CodeLens[] {
  const models = snapshot.settings.codeLens.script
    ? [...networkLenses(snapshot), ...exportLenses(snapshot)]
    : [];
  return [...models, ...insertLenses(snapshot), ...dataLenses(snapshot)];
}

function networkLenses(snapshot: ScriptSnapshot): CodeLens[] {
  const taken = new Set<string>();
  return snapshot.ties().flatMap((tie) =>
    namesOf(snapshot.script, tie).flatMap((span) => {
      if (taken.has(span.join())) return [];
      taken.add(span.join());
      return modelLenses(snapshot, span, tie);
    }),
  );
}

function modelLenses(snapshot: ScriptSnapshot, span: Span, tie: ScriptTie): CodeLens[] {
  const model = snapshot.model(tie.model);
  const { report, uri, state } = model;
  const range = snapshot.places.range(span);
  if (!report || !range) return [];
  const at = (title: string, command: string, ...args: unknown[]): CodeLens => ({
    range,
    command: { title, command, arguments: args },
  });
  const worst = worstFigure(report.layers);
  const facts = [
    label(path.basename(tie.model)),
    editorWords.layers(report.layers.length),
    ...(tie.pairs.size < tie.tree.layers.length
      ? [scriptWords.partly(tie.pairs.size, tie.tree.layers.length)]
      : []),
    ...progress(model),
    ...(worst ? [worstText(worst, label(worst.layer.name), state)] : []),
  ];
  const told = at(
    facts.join(' · '),
    worst && snapshot.client.own ? clientCommands.openAsText : noCommand,
    uri,
    worst?.layer.name,
  );
  if (!snapshot.client.own) return [told];
  if (state === 'too-large')
    return [told, at(editorWords.measureWeights, clientCommands.measureWeights, uri)];
  if (!snapshot.trusted) return [told, at(editorWords.restrictedModel, 'workbench.trust.manage')];
  const choose = at(scriptWords.chooseOther, clientCommands.chooseScriptModel, snapshot.document.uri, uri);
  if (!/\.onnx$/i.test(tie.model)) return [told, choose];
  return [
    told,
    at(editorWords.calibrate, clientCommands.calibrate, uri),
    at(fixTitles['quantize-int8'], clientCommands.quantize, uri, 'w8a8'),
    at(fixTitles['quantize-int4'], clientCommands.quantize, uri, 'int4'),
    choose,
  ];
}

function progress({ state }: ModelState): readonly string[] {
  if (state === 'weights-running') return [editorWords.measuringWeights];
  return state === 'measuring' ? [editorWords.measuringLayers] : [];
}

function exportLenses(snapshot: ScriptSnapshot): CodeLens[] {
  return snapshot.exports().flatMap(({ span, model }): CodeLens[] => {
    const range = snapshot.places.range(span);
    return range ? [{ range, command: stateOf(snapshot, model) }] : [];
  });
}

function stateOf(snapshot: ScriptSnapshot, file: string): Command {
  const name = label(path.basename(file));
  const report = snapshot.exists(file) ? snapshot.model(file).report : undefined;
  if (!report) return { title: scriptWords.notWritten(name), command: noCommand };
  const worst = worstFigure(report.layers);
  const title = [
    name,
    shortBytes(report.model.bytes),
    editorWords.layers(report.layers.length),
    ...(worst ? [worstText(worst, label(worst.layer.name))] : []),
  ].join(' · ');
  return snapshot.client.own
    ? { title, command: clientCommands.openModel, arguments: [uriOf(file)] }
    : { title, command: noCommand };
}
