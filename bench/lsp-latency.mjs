// Times hover and code lenses of the built server over standard streams, on a synthesised model of 1,700 layers, while
// its weights are measured and while a calibration runs: `npm run build && node bench/lsp-latency.mjs [layers]`.
// Prints p50, p95 and the maximum in milliseconds per phase; the budget is p95 < 50 ms. Exit code 1 when it is missed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import onnxProto from 'onnx-proto';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';

const BUDGET = 50;
const WIDTH = 32;
/** Requests per phase. */
const REQUESTS = 200;

const layers = Number(process.argv[2] ?? 1700);
const server = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../dist/server.js');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-bench-'));
const file = path.join(folder, 'deep.onnx');
fs.writeFileSync(file, deepModel(layers));

const child = spawn(process.execPath, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
const connection = createMessageConnection(
  new StreamMessageReader(child.stdout),
  new StreamMessageWriter(child.stdin),
);
const heard = new Map();
connection.onNotification((method, params) => heard.get(method)?.(params));
connection.onRequest((method) => (method === 'workspace/configuration' ? [{}] : null));
connection.listen();

try {
  process.exitCode = (await run()) ? 0 : 1;
  await connection.sendRequest('shutdown');
  await connection.sendNotification('exit');
} finally {
  child.kill();
  fs.rmSync(folder, { recursive: true, force: true });
}

async function run() {
  const modelUri = pathToFileURL(file).href;
  const uri = `quantlens-text:${file}.onnxtxt?${encodeURIComponent(modelUri)}`;
  await connection.sendRequest('initialize', {
    processId: null,
    rootUri: null,
    initializationOptions: { trusted: true, takesRows: true },
    capabilities: { textDocument: { hover: { contentFormat: ['markdown'] }, diagnostic: {} } },
  });
  await connection.sendNotification('initialized', {});
  const opening = performance.now();
  const { text } = await connection.sendRequest('workspace/textDocumentContent', { uri });
  await connection.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'onnxtxt', version: 1, text },
  });
  await connection.sendRequest('textDocument/codeLens', { textDocument: { uri } });
  console.log(
    `${layers} layers, ${text.length} characters; opened in ${(performance.now() - opening).toFixed(0)} ms`,
  );
  const places = [...text.matchAll(/ = MatMul /g)].map(({ index }) => positionAt(text, index + 4));

  const measured = new Promise((resolve) => {
    const told = (state) => state === 'weights' && resolve();
    heard.set('quantlens/modelViewChanged', ({ state }) => told(state));
    heard.set('quantlens/modelRowsChanged', ({ view }) => told(view.state));
  });
  let good = await phase('while weights are measured', uri, places);
  await measured;
  good = (await phase('idle', uri, places)) && good;

  const request = { modelUri, source: 'random', estimator: 'min-max', scheme: 'w8a8', seed: 0 };
  const progressed = (fits) =>
    new Promise((resolve) => {
      heard.set('quantlens/jobProgress', ({ progress }) => fits(progress) && resolve());
    });
  const calibrating = progressed(({ stage }) => stage === 'calibrate');
  const endless = connection.sendRequest('quantlens/calibrate', { ...request, jobId: 'one', samples: 1e6 });
  await calibrating;
  good = (await phase('while calibrating', uri, places)) && good;
  await connection.sendNotification('quantlens/cancelJob', { jobId: 'one' });
  console.log(`  cancelled: ${(await endless).samples} samples`);
  const calibrated = progressed(({ stage, done, total }) => stage === 'calibrate' && done === total);
  const second = connection.sendRequest('quantlens/calibrate', { ...request, jobId: 'two', samples: 64 });
  await calibrated;
  good = (await phase('while measuring layers', uri, places)) && good;
  await connection.sendNotification('quantlens/cancelJob', { jobId: 'two' });
  await second;
  return good;
}

/** Alternates hovers and lenses, one at a time, as one user causes them. */
async function phase(name, uri, places) {
  const times = { hover: [], codeLens: [] };
  for (let count = 0; count < REQUESTS; count++) {
    const position = places[(count * 7919) % places.length];
    for (const method of ['hover', 'codeLens']) {
      const began = performance.now();
      const answer = await connection.sendRequest(`textDocument/${method}`, {
        textDocument: { uri },
        position,
      });
      times[method].push(performance.now() - began);
      if (method === 'codeLens' ? answer.length < layers : !answer?.contents.value.startsWith('**layer'))
        throw new Error(`${method}: not the answer of a layer`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const results = Object.entries(times).map(([method, list]) => [method, quantiles(list)]);
  for (const [method, { p50, p95, most }] of results)
    console.log(
      `${name}: ${method} p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, max ${most.toFixed(1)} ms`,
    );
  return results.every(([, { p95 }]) => p95 < BUDGET);
}

function quantiles(list) {
  const sorted = [...list].sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { p50: at(0.5), p95: at(0.95), most: at(1) };
}

function positionAt(text, offset) {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length - 1, character: before.at(-1).length };
}

/** MatMul layers in a row whose weights keep the signal's variance. */
function deepModel(count) {
  const { onnx } = onnxProto;
  const type = (name) => ({
    name,
    type: {
      tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }, { dimValue: WIDTH }] } },
    },
  });
  const seeded = random(1);
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'deep',
      input: [type('input')],
      output: [type(`h${count - 1}`)],
      initializer: Array.from({ length: count }, (_, index) => ({
        name: `layer${index}.weight`,
        dims: [WIDTH, WIDTH],
        dataType: 1,
        rawData: new Uint8Array(Float32Array.from({ length: WIDTH * WIDTH }, seeded).buffer),
      })),
      node: Array.from({ length: count }, (_, index) => ({
        opType: 'MatMul',
        name: `node${index}`,
        input: [index === 0 ? 'input' : `h${index - 1}`, `layer${index}.weight`],
        output: [`h${index}`],
      })),
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** Uniform numbers of variance 1/WIDTH from mulberry32. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1) * Math.sqrt(3 / WIDTH);
  };
}
