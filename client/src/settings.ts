/** The extension's settings as typed values; names and defaults are `Settings` of the protocol. */
import * as vscode from 'vscode';
import { defaultSettings, type Settings } from '../../server/src/protocol/lsp-ext';

/** Settings in effect now. */
export function readSettings(): Settings {
  const section = vscode.workspace.getConfiguration('quantlens');
  const get = <T>(key: string, otherwise: T): T => section.get<T>(key) ?? otherwise;
  const lens = defaultSettings.codeLens;
  return {
    threads: get('threads', defaultSettings.threads),
    memoryLimit: get('memoryLimit', defaultSettings.memoryLimit),
    cacheSize: get('cacheSize', defaultSettings.cacheSize),
    analyzeOnOpen: get('analyzeOnOpen', defaultSettings.analyzeOnOpen),
    codeLens: {
      model: get('codeLens.model', lens.model),
      layer: get('codeLens.layer', lens.layer),
      recipe: get('codeLens.recipe', lens.recipe),
      script: get('codeLens.script', lens.script),
      data: get('codeLens.data', lens.data),
      insert: get('codeLens.insert', lens.insert),
    },
    inlayHints: get('inlayHints', defaultSettings.inlayHints),
    outputEffectAfterCalibration: get(
      'outputEffectAfterCalibration',
      defaultSettings.outputEffectAfterCalibration,
    ),
    script: {
      enabled: get('script.enabled', defaultSettings.script.enabled),
      target: get('script.target', defaultSettings.script.target),
      workspaceDiagnostics: get('script.workspaceDiagnostics', defaultSettings.script.workspaceDiagnostics),
    },
    severity: get('severity', defaultSettings.severity),
    thresholds: get('thresholds', defaultSettings.thresholds),
  };
}
