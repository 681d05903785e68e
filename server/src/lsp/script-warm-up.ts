/**
 * The first script that is opened would pay for compiling the parser and everything that reads, judges, ties and answers:
 * a small script of no file is gone through once while nobody waits, in steps between which questions are answered.
 */
import { TextDocument } from 'vscode-languageserver-textdocument';
import { inTurns, turn } from '../engine/base/steps';
import type { AnalysisReport, LayerReport } from '../protocol/reports';
import { type AnalyzedScript, analysisSteps } from '../rules/script/analyze';
import { dataPipelines } from '../script/data-pipeline';
import { moduleTrees } from '../script/module-tree';
import type { PythonParser } from '../script/parser';
import { tiesOf } from '../script/tie';
import { rangeOf } from './convert';
import { scriptLenses } from './features/script/code-lens';
import { scriptDiagnostics } from './features/script/diagnostics';
import { scriptHover } from './features/script/hover';
import { scriptHints } from './features/script/inlay-hints';
import { exportCalls, type ScriptTie } from './script-ties';
import type { ScriptSnapshot, Surroundings } from './snapshot';
import type { ModelState } from './workspace';

/** Longest stretch of work between two looks at what has come in, milliseconds. */
const SLICE = 4;

/** Goes through what a usual script goes through. */
export async function warmUp(load: () => Promise<PythonParser>, surroundings: Surroundings): Promise<void> {
  const parser = await load();
  let before: AnalyzedScript | undefined;
  // The second time takes what the first has left, as after a keystroke.
  for (const text of [sample, sample.replace('epochs=3', 'epochs=4')]) {
    const script = await inTurns(analysisSteps(parser, FILE, text, {}, before), SLICE);
    for (const answer of answers(snapshotOf(script, surroundings))) {
      answer();
      await turn();
    }
    before = script;
  }
  before?.parsed.dispose();
}

/** What an editor asks of a script that was opened. */
function answers(snapshot: ScriptSnapshot): readonly (() => unknown)[] {
  const { document } = snapshot;
  const position = document.positionAt(sample.indexOf('nn.Conv2d'));
  const range = { start: document.positionAt(0), end: document.positionAt(sample.length) };
  return [
    snapshot.exports,
    snapshot.data,
    snapshot.ties,
    () => scriptDiagnostics(snapshot),
    () => scriptLenses(snapshot),
    () => scriptHints(snapshot, range),
    () => scriptHover(snapshot, position),
  ];
}

function snapshotOf(script: AnalyzedScript, surroundings: Surroundings): ScriptSnapshot {
  const document = TextDocument.create('untitled:sample.py', 'python', 1, script.text);
  let ties: readonly ScriptTie[] | undefined;
  const found = () => {
    ties ??= moduleTrees(script).flatMap((tree) =>
      tiesOf([tree], layers).map((tie) => ({ ...tie, model: MODEL, alsoFits: [] })),
    );
    return ties;
  };
  return {
    kind: 'script',
    document,
    script,
    places: {
      offset: (offset) => offset,
      location: (span) => ({ uri: document.uri, range: rangeOf(document, span) }),
      range: (span) => rangeOf(document, span),
    },
    ties: found,
    knownTies: found,
    searched: () => true,
    model: () => model,
    exists: () => false,
    opened: () => undefined,
    isData: () => false,
    data: () => dataPipelines(script),
    imported: () => () => undefined,
    exports: () => exportCalls(script),
    ...surroundings,
  };
}

const FILE = 'sample.py';
const MODEL = 'sample.safetensors';

const layers = ['stem.0', 'stages.0', 'stages.1', 'stages.2', 'head'].map(
  (name): LayerReport => ({
    name,
    node: name,
    op: 'Conv',
    weight: `${name}.weight`,
    shape: [16, 3, 3, 3],
    params: 432,
    bytes: 1728,
    macs: null,
    dataType: 'float32',
    weightSqnr: { 'int8.tensor': 40, 'int8.channel': 44, 'int4.channel': 20, 'int4.group32': 22 },
    issues: [],
  }),
);

const report: AnalysisReport = {
  model: {
    path: MODEL,
    format: 'safetensors',
    opset: null,
    params: 432,
    bytes: 1728,
    macs: null,
    inputs: [],
    outputs: [],
    nodes: 1,
    ops: {},
  },
  data: null,
  layers,
  issues: [],
};

const model: ModelState = {
  path: MODEL,
  uri: `file:///${MODEL}`,
  state: 'weights',
  report,
  recipe: undefined,
  recipeUri: undefined,
  findings: [],
  problems: [],
  figures: () => ({}),
};

const sample = `import argparse
import torch
import torch.nn as nn
import torch.ao.quantization as tq
from torchvision import datasets, transforms


class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        self.stages = nn.ModuleList([nn.Conv2d(16, 16, 3, padding=1) for _ in range(3)])
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = torch.relu(stage(x)) + x
        return self.head(x.mean((2, 3)))


def train(model, loader, epochs=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()


steps = transforms.Compose([transforms.Resize(256), transforms.ToTensor()])
loader = torch.utils.data.DataLoader(datasets.ImageFolder('data', steps), batch_size=32)
model = Net()
train(model, loader)
model.eval()
model.qconfig = tq.get_default_qconfig('x86')
prepared = tq.prepare(model)
for images, _ in loader:
    prepared(images)
converted = tq.convert(prepared)
torch.save(converted.state_dict(), 'net.pt')
torch.onnx.export(model, torch.randn(1, 3, 224, 224), 'net.onnx', opset_version=17)
`;
