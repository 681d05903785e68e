/** Weight files in parts, and the tensors of GGUF blocks: everything that opening a folder of weights can find. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFacts } from '../../../../server/src/engine/analysis/model-facts';
import { weightReports } from '../../../../server/src/engine/analysis/weight-reports';
import type { Issue } from '../../../../server/src/engine/base/issue';
import { type OpenWeights, openWeights } from '../../../../server/src/engine/graph/from-weights';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { fingerprintModel } from '../../../../server/src/engine/model-fingerprint';
import { sameStamp, stampOf } from '../../../../server/src/engine/stamps';
import { line } from '../../../../server/src/rules/words';
import { ggufFile, joined, safetensorsFile, u32 } from '../../../fixtures/weight-files';

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-parts-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Writes files into a new folder and gives the path of the first. */
function files(content: Readonly<Record<string, Uint8Array | string>>): string {
  const home = fs.mkdtempSync(path.join(folder, 'f-'));
  for (const [name, data] of Object.entries(content)) fs.writeFileSync(path.join(home, name), data);
  return path.join(home, Object.keys(content)[0] ?? '');
}

const floats = (...values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);

/** A safetensors file of F32 tensors [1, n]. */
function shard(tensors: Readonly<Record<string, readonly number[]>>): Uint8Array {
  let end = 0;
  const header: Record<string, object> = {};
  for (const [name, values] of Object.entries(tensors)) {
    const from = end;
    end += values.length * 4;
    header[name] = { dtype: 'F32', shape: [1, values.length], data_offsets: [from, end] };
  }
  return safetensorsFile({
    header,
    data: joined(...Object.values(tensors).map((values) => floats(...values))),
  });
}

/** A GGUF file of one tensor [1, 32] of a type. */
function gguf(name: string, type: number, data: Uint8Array, splits = 0): Uint8Array {
  return ggufFile({
    values: splits > 0 ? [['split.count', [4, u32(splits)]]] : [],
    tensors: [{ name, sizes: [32, 1], type, offset: 0 }],
    data: joined(data, new Uint8Array((32 - (data.length % 32)) % 32)),
  });
}

/** Q8_0 with scale 1 and every code `code`. */
const q8 = (code: number) => joined(Uint8Array.of(0, 0x3c), new Uint8Array(32).fill(code));

const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 1 }, weight_map: map });

const INDEX = 'model.safetensors.index.json';
const S1 = 'model-00001-of-00002.safetensors';
const S2 = 'model-00002-of-00002.safetensors';
const twoShards = { [S1]: shard({ 'a.weight': [1, 2] }), [S2]: shard({ 'b.weight': [3, 4, 5] }) };

function use<T>(file: string, body: (open: OpenWeights) => T): T {
  const { value, issues } = openWeights(file);
  if (!value) throw new Error(JSON.stringify(issues));
  try {
    return body(value);
  } finally {
    value.close();
  }
}

/** Layers with all their values. */
function checkLayers(file: string, expected: Readonly<Record<string, readonly number[]>>): void {
  use(file, (open) => {
    const found = listLayers(open.model).map((layer) => [
      layer.name,
      [...(layer.tensor.toFloat32().value ?? [])],
    ]);
    expect(Object.fromEntries(found)).toEqual(expected);
  });
}

/** No value and exactly this issue. */
function checkIssue(file: string, code: Issue['code'], facts: object = {}): void {
  const { value, issues } = openWeights(file);
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({ code, facts });
}

describe('safetensors shards', () => {
  const both = { a: [1, 2], b: [3, 4, 5] };
  const map = { 'a.weight': S1, 'b.weight': S2 };

  it('reads all shards of an index', () => checkLayers(files({ [INDEX]: index(map), ...twoShards }), both));
  it('reads all shards from the first', () => checkLayers(files(twoShards), both));
  it('opens a later shard alone', () => {
    const first = files(twoShards);
    checkLayers(path.join(path.dirname(first), S2), { b: [3, 4, 5] });
  });

  it('tells facts, size and state of all of them', async () => {
    const file = files({ [INDEX]: index(map), ...twoShards });
    const bytes = fs.statSync(file).size + twoShards[S1].length + twoShards[S2].length;
    expect(modelFacts(file)).toMatchObject({
      value: { model: { format: 'safetensors', params: 5, bytes }, layers: [{ name: 'a' }, { name: 'b' }] },
      issues: [],
    });
    const hash = await fingerprintModel(file);
    const stamp = stampOf(file);
    const other = path.join(path.dirname(file), S2);
    use(file, (open) => {
      expect(open.unchanged()).toBe(true);
      fs.writeFileSync(other, shard({ 'b.weight': [3, 4, 6, 7] }));
      expect(open.unchanged()).toBe(false);
    });
    const now = stampOf(file);
    expect(stamp && now && sameStamp(stamp, now)).toBe(false);
    expect((await fingerprintModel(file)).value).not.toBe(hash.value);
    expect(hash.value).toMatch(/^[0-9a-f]{64}$/);
  });

  it('names the missing shards in one issue', () => {
    const facts = { parts: [S2], total: 2, why: 'missing' };
    checkIssue(files({ [INDEX]: index(map), [S1]: twoShards[S1] }), 'parts-missing', facts);
    checkIssue(files({ [S1]: twoShards[S1] }), 'parts-missing', facts);
    const issues = openWeights(files({ 'm-00001-of-00004.safetensors': shard({ a: [1] }) })).issues;
    expect(issues.map((one) => line(one))).toEqual([
      expect.stringContaining('"m-00002-of-00004.safetensors" and 2 more of its 4 parts are missing.'),
    ]);
  });

  it.each(['../secret.safetensors', '/etc/hostname', 'https://a.b/c', 'C:\\a', 'a/../../b'])(
    'opens nothing outside its folder: %s',
    (location) => {
      const facts = { parts: [location], total: 1, why: 'outside' };
      checkIssue(files({ [INDEX]: index({ a: location }) }), 'parts-missing', facts);
    },
  );

  it('follows no link out of its folder', () => {
    const secret = files({ 'x.safetensors': shard({ a: [1] }) });
    const file = files({ [INDEX]: index({ a: 'link.safetensors' }) });
    fs.symlinkSync(secret, path.join(path.dirname(file), 'link.safetensors'));
    checkIssue(file, 'parts-missing', { parts: ['link.safetensors'], why: 'outside' });
  });

  it('reads a cache that links every file into one other folder', () => {
    const blobs = path.dirname(files({ i: index(map), one: twoShards[S1], two: twoShards[S2], secret: 'x' }));
    const snapshot = path.dirname(files({ 'README.md': '' }));
    const link = (target: string, name: string) => fs.symlinkSync(target, path.join(snapshot, name));
    link(path.join(blobs, 'i'), INDEX);
    link(path.join(blobs, 'one'), S1);
    link(path.join(blobs, 'two'), S2);
    checkLayers(path.join(snapshot, INDEX), both);
    checkLayers(path.join(snapshot, S1), both);
    fs.rmSync(path.join(snapshot, S2));
    link(files({ two: twoShards[S2] }), S2);
    checkIssue(path.join(snapshot, INDEX), 'parts-missing', { parts: [S2], why: 'outside' });
  });

  it.each([
    ['{', 'the index is not valid JSON'],
    ['{"weight_map": []}', 'the index has no weight_map'],
    ['{"weight_map": {}}', 'weight_map is empty'],
    ['{"weight_map": {"a": 3}}', 'weight_map: "a" has no file name'],
    ['{"a": 1}', 'the index has no weight_map'],
  ])('refuses the index %s', (text, reason) =>
    checkIssue(files({ [INDEX]: text }), 'format-damaged', { reason }),
  );

  it('refuses shards that contradict each other or the index', () => {
    checkIssue(files({ [S1]: shard({ a: [1] }), [S2]: shard({ a: [2] }) }), 'format-damaged', {
      reason: 'tensor "a" is in another part too',
    });
    const swapped = { 'a.weight': S2, 'b.weight': S1 };
    checkIssue(files({ [INDEX]: index(swapped), ...twoShards }), 'format-damaged', {
      reason: `tensor "a.weight" is not in ${S2}`,
    });
    checkIssue(files({ [INDEX]: index({ ...map, c: S1 }), ...twoShards }), 'format-damaged', {
      reason: `tensor "c" is not in ${S1}`,
    });
  });

  it('names the shard that is damaged, and bounds their number', () => {
    const file = files({ [S1]: twoShards[S1], [S2]: twoShards[S2].subarray(0, 60) });
    checkIssue(file, 'format-truncated', { path: expect.stringContaining(S2) });
    checkIssue(files({ 'm-00001-of-99999.safetensors': shard({ a: [1] }) }), 'format-limit', {
      value: 99_999,
    });
  });
});

describe('split GGUF', () => {
  const names = ['w-00001-of-00002.gguf', 'w-00002-of-00002.gguf'] as const;

  it('reads all parts from the first, also when that holds no tensor', () => {
    const [first, second] = names;
    checkLayers(files({ [first]: gguf('a', 8, q8(2), 2), [second]: gguf('b', 8, q8(0xff), 2) }), {
      a: new Array(32).fill(2),
      b: new Array(32).fill(-1),
    });
    checkLayers(files({ [first]: ggufFile({}), [second]: gguf('b', 8, q8(1), 2) }), {
      b: new Array(32).fill(1),
    });
  });

  it('names a missing part', () => {
    checkIssue(files({ [names[0]]: gguf('a', 8, q8(2), 2) }), 'parts-missing', {
      parts: [names[1]],
      total: 2,
    });
  });

  it('says when a part under another name is only a part', () => {
    const file = files({ 'part.gguf': gguf('a', 8, q8(2), 3) });
    const { value, issues } = openWeights(file);
    value?.close();
    expect(value?.tensors).toHaveLength(1);
    expect(issues).toMatchObject([{ code: 'unsupported-feature', severity: 'warning' }]);
  });
});

describe('GGUF blocks as weights', () => {
  it('measures dequantized values and reports the stored type', async () => {
    const codes = Uint8Array.from({ length: 32 }, (_, at) => at * 8 - 124);
    const file = files({ 'm.gguf': gguf('blk.0.attn_q.weight', 8, joined(Uint8Array.of(0, 0x3c), codes)) });
    expect(modelFacts(file).value?.layers).toMatchObject([
      { name: 'blk.0.attn_q', dataType: 'Q8_0', bytes: 34 },
    ]);
    const model = use(file, (open) => open.model);
    expect(model.graph.nodes[0]?.opType).toBe('Weight');
    const open = openWeights(file).value;
    if (!open) throw new Error('not opened');
    const { reports, issues } = await weightReports({
      model: open.model,
      folded: open.model,
      formats: [],
      progress: () => {},
    });
    open.close();
    expect(issues).toEqual([]);
    // Codes from −124 to 124 in steps of 8.
    expect(reports[0]?.weightRange).toEqual({ min: -124, max: 124 });
    expect(reports[0]?.weightSqnr?.['int8.channel']).toBeGreaterThan(40);
  });

  it('reads tensors larger than one chunk', () => {
    const rows = 2 ** 15 + 1;
    const data = new Uint8Array(rows * 34);
    for (let row = 0; row < rows; row++) data.set([0, 0x3c, row & 0x7f], row * 34);
    const file = files({
      'm.gguf': ggufFile({ tensors: [{ name: 't', sizes: [32, rows], type: 8, offset: 0 }], data }),
    });
    use(file, (open) => {
      const values = open.model.graph.values.get('t')?.tensor?.toFloat32().value;
      expect(values).toHaveLength(rows * 32);
      const wrong = values?.findIndex((value, at) => value !== (at % 32 === 0 ? (at / 32) & 0x7f : 0));
      expect(wrong).toBe(-1);
    });
  });

  it.each([
    ['F32', 0, new Uint8Array(Float32Array.from({ length: 32 }, () => 1.5).buffer)],
    ['F16', 1, new Uint8Array(Uint16Array.from({ length: 32 }, () => 0x3e00).buffer)],
    ['BF16', 30, new Uint8Array(Uint16Array.from({ length: 32 }, () => 0x3fc0).buffer)],
    ['F64', 28, new Uint8Array(Float64Array.from({ length: 32 }, () => 1.5).buffer)],
  ] as const)('reads plain %s', (_name, type, data) =>
    checkLayers(files({ 'm.gguf': gguf('a', type, data) }), { a: new Array(32).fill(1.5) }),
  );

  it('says once per type what it cannot dequantize', () => {
    const tensors = ['a', 'b'].map((name, at) => ({ name, sizes: [256, 1], type: 41, offset: at * 64 }));
    const file = files({ 'm.gguf': ggufFile({ tensors, data: new Uint8Array(128) }) });
    const { value, issues } = openWeights(file);
    expect(issues.map((one) => [one.code, one.severity, line(one)])).toEqual([
      [
        'unsupported-feature',
        'warning',
        expect.stringContaining('dequantizing Q1_0 (2 tensors) is not supported.'),
      ],
    ]);
    const layers = value ? listLayers(value.model) : [];
    expect(layers.map((layer) => [layer.name, layer.quantized])).toEqual([
      ['a', true],
      ['b', true],
    ]);
    expect(layers[0]?.tensor.toFloat32().issues).toMatchObject([{ code: 'unsupported-feature' }]);
    value?.close();
  });
});
