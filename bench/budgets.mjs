// Time and memory that a user waits for, against physical limits in the same run:
//   inspect of a 1.5 GB model (sparse, written here) against Node's own start; weight errors of the demo against its start.
// Usage: npm run build -- --production && node bench/budgets.mjs
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const cli = path.join(root, 'dist/cli.js');
const RUNS = 9;

const folder = mkdtempSync(path.join(os.tmpdir(), 'quantlens-bench-'));
try {
  const big = path.join(folder, 'big.onnx');
  const bytes = writeSparseModel(big, 12, 5600);
  const start = measure(['-e', '0']);
  const inspect = measure([cli, 'inspect', big]);
  const demo = measure([cli, 'analyze', path.join(root, 'examples/fashion_mobile.onnx'), '--quiet']);
  console.log(
    `${os.cpus()[0]?.model ?? 'CPU'}, ${os.availableParallelism()} cores, Node ${process.versions.node}; median of ${RUNS}`,
  );
  report('node -e 0', start, start);
  report(`inspect ${(bytes / 1e9).toFixed(2)} GB`, inspect, start);
  report('analyze demo (weights)', demo, start);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function report(what, { seconds, megabytes }, start) {
  const beyond = ((seconds - start.seconds) * 1000).toFixed(0);
  console.log(
    `${what.padEnd(24)} ${(seconds * 1000).toFixed(0).padStart(6)} ms  (${beyond.padStart(5)} ms beyond Node's start)  peak ${megabytes} MB`,
  );
}

/** Median wall time; peak resident memory as the process itself saw it at its end. */
function measure(args) {
  const times = [];
  let megabytes = 0;
  const probe = `process.on('exit',()=>process.stderr.write('\\nPEAK '+process.resourceUsage().maxRSS))`;
  for (let run = 0; run < RUNS; run++) {
    const began = process.hrtime.bigint();
    const result = spawnSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    times.push(Number(process.hrtime.bigint() - began) / 1e9);
    if (result.status !== 0) throw new Error(`${args.join(' ')} ended with ${result.status}`);
  }
  const probed = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(probe)}`, ...args],
    { encoding: 'utf8' },
  );
  megabytes = Math.round(Number(/PEAK (\d+)/.exec(probed.stderr)?.[1] ?? 0) / 1024);
  times.sort((one, other) => one - other);
  return { seconds: times[RUNS >> 1], megabytes };
}

/** A chain of MatMuls with `layers` weights of width² floats whose bytes are holes in the file. Returns its size. */
function writeSparseModel(file, layers, width) {
  const varint = (value) => {
    const out = [];
    for (let rest = BigInt(value); ; rest >>= 7n) {
      if (rest < 128n) return Buffer.from([...out, Number(rest)]);
      out.push(Number(rest & 127n) | 128);
    }
  };
  const message = (number, ...parts) => {
    const body = Buffer.concat(parts);
    return Buffer.concat([varint((number << 3) | 2), varint(body.length), body]);
  };
  const integer = (number, value) => Buffer.concat([varint(number << 3), varint(value)]);
  const text = (number, value) => message(number, Buffer.from(value));
  const size = width * width * 4;
  const name = (index) => (index === 0 ? 'x' : `x${index}`);
  const shape = message(2, message(1, text(2, 'N')), message(1, integer(1, width)));
  const info = (number, value) =>
    message(number, text(1, value), message(2, message(1, integer(1, 1), shape)));
  const nodes = Array.from({ length: layers }, (_, index) =>
    message(
      1,
      text(1, name(index)),
      text(1, `w${index}`),
      text(2, name(index + 1)),
      text(3, `matmul${index}`),
      text(4, 'MatMul'),
    ),
  );
  const head = Buffer.concat([...nodes, text(2, 'chain'), info(11, 'x'), info(12, name(layers))]);
  const weights = Array.from({ length: layers }, (_, index) => {
    const fields = Buffer.concat([
      integer(1, width),
      integer(1, width),
      integer(2, 1),
      text(8, `w${index}`),
      varint((9 << 3) | 2),
      varint(size),
    ]);
    return Buffer.concat([varint((5 << 3) | 2), varint(fields.length + size), fields]);
  });
  const graph = head.length + weights.reduce((sum, one) => sum + one.length + size, 0);
  const handle = openSync(file, 'w');
  let at = 0;
  const put = (bytes) => {
    writeSync(handle, bytes, 0, bytes.length, at);
    at += bytes.length;
  };
  put(
    Buffer.concat([
      integer(1, 8),
      message(8, text(1, ''), integer(2, 17)),
      varint((7 << 3) | 2),
      varint(graph),
      head,
    ]),
  );
  for (const weight of weights) {
    put(weight);
    at += size;
  }
  // The last byte makes the hole behind the last weight part of the file.
  writeSync(handle, Buffer.from([0]), 0, 1, at - 1);
  closeSync(handle);
  return at;
}
