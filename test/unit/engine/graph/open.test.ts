import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import { externalPayload } from '../../../../server/src/engine/format/onnx-external';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { openWeights } from '../../../../server/src/engine/graph/from-weights';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { modelFingerprint, openModel } from '../../../../server/src/engine/graph/open';
import { convNet, gemmNet } from '../../../fixtures/build';
import { safetensorsFile } from '../../../fixtures/weight-files';

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'graph-open-'));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true });
});

function file(name: string, content: ModelProto | Uint8Array | string): string {
  const target = path.join(folder, name);
  const bytes =
    content instanceof Uint8Array || typeof content === 'string' ? content : encodeModelBytes(content).value;
  fs.writeFileSync(target, bytes ?? '');
  return target;
}

/** One Gemm whose weight [4,16] (256 bytes) and bias [4] (16 bytes) are external. */
function externalNet(location: string, weightOffset = 0, biasOffset = 256): ModelProto {
  const proto = gemmNet();
  const offsets = [weightOffset, biasOffset];
  const initializers = proto.graph?.initializers.map((one, index) => ({
    ...one,
    payload: externalPayload(
      location,
      offsets[index] ?? 0,
      one.dims.reduce((a, b) => a * b, 4),
    ),
  }));
  return { ...proto, graph: proto.graph && { ...proto.graph, initializers: initializers ?? [] } };
}

describe('openModel', () => {
  it('gives the graph and closes', () => {
    const { value, issues } = openModel(file('net.onnx', convNet()));
    expect(issues).toEqual([]);
    expect(value?.format).toBe('onnx');
    expect(value?.bytes).toBe(fs.statSync(path.join(folder, 'net.onnx')).size);
    expect(value && listLayers(value.model)).toHaveLength(3);
    value?.close();
  });

  it('reads text', () => {
    const text =
      '<ir_version: 8, opset_import: ["" : 17]>\ng (float[N,4] x) => (float[N,4] y) { y = Relu(x) }\n';
    const { value } = openModel(file('net.onnxtxt', text));
    expect(value?.format).toBe('onnxtxt');
    expect(value?.model.graph.nodes[0]?.opType).toBe('Relu');
    value?.close();
  });

  it('counts, fingerprints and watches external files', async () => {
    const weights = new Uint8Array(272).fill(7);
    file('w.bin', weights);
    const target = file('ext.onnx', externalNet('w.bin'));
    const { value } = openModel(target);
    if (!value) throw new Error('not opened');
    const own = fs.readFileSync(target);
    expect(value.bytes).toBe(own.length + 272);
    expect(await modelFingerprint(value)).toBe(fingerprintOfBytes(own, weights));
    expect(value.unchanged()).toBe(true);
    fs.utimesSync(path.join(folder, 'w.bin'), 1, 1);
    expect(value.unchanged()).toBe(false);
    value.close();
  });

  const refused: readonly (readonly [string, () => string, string, object])[] = [
    ['a missing file', () => path.join(folder, 'none.onnx'), 'file-not-found', {}],
    ['a folder', () => folder, 'file-is-folder', {}],
    ['an empty file', () => file('empty.onnx', ''), 'file-empty', {}],
    ['a page of HTML', () => file('page.onnx', '<!DOCTYPE html><html></html>'), 'format-unknown', {}],
    [
      'an invalid graph',
      () => file('bad.onnx', { ...gemmNet(), graph: { ...(gemmNet().graph ?? fail()), initializers: [] } }),
      'graph-invalid',
      { node: 'output_Gemm' },
    ],
    [
      'half a text',
      () => file('half.onnxtxt', '<ir_version: 8>\ng (float[N] x) => (float[N] y) { y = Relu('),
      'text-syntax',
      {},
    ],
    [
      'weights without a graph',
      () => file('w.safetensors', safetensorsFile({ header: {} })),
      'unsupported-feature',
      {},
    ],
    [
      'missing external data',
      () => file('e1.onnx', externalNet('nowhere.bin')),
      'external-missing',
      { tensor: 'fc.bias' },
    ],
    [
      'external data outside the folder',
      () => file('e2.onnx', externalNet('../w.bin')),
      'external-outside',
      { tensor: 'fc.bias' },
    ],
    [
      'external data that is too short',
      () => {
        file('short.bin', new Uint8Array(271));
        return file('e3.onnx', externalNet('short.bin'));
      },
      'external-range',
      { tensor: 'fc.bias' },
    ],
    [
      'a negative offset',
      () => {
        file('short.bin', new Uint8Array(300));
        return file('e4.onnx', externalNet('short.bin', -8));
      },
      'tensor-invalid',
      { tensor: 'fc.weight' },
    ],
  ];
  it.each(refused)('refuses %s with one issue', (_, make, code, anchor) => {
    const target = make();
    const { value, issues } = openModel(target);
    expect(value).toBeUndefined();
    const errors = issues.filter((one) => one.severity === 'error');
    expect(errors[0]).toMatchObject({ code, anchor: { path: target, ...anchor } });
    if (code !== 'text-syntax' && code !== 'graph-invalid') expect(errors).toHaveLength(1);
  });
});

function fail(): never {
  throw new Error('fixture');
}

/** SHA-256 of the concatenation, by the same hash with other code. */
function fingerprintOfBytes(...parts: readonly Uint8Array[]): string {
  return createHash('sha256').update(Buffer.concat(parts)).digest('hex');
}

describe('openWeights', () => {
  const header = {
    'a.weight': { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
    'a.bias': { dtype: 'F32', shape: [3], data_offsets: [24, 36] },
    'conv.weight': { dtype: 'F16', shape: [1, 2, 1, 1], data_offsets: [36, 40] },
    packed: { dtype: 'I32', shape: [1, 1], data_offsets: [40, 44] },
  };

  it('gives layers whose weights can be read', () => {
    const data = new Uint8Array(44);
    data.set(new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer));
    const { value } = openWeights(file('m.safetensors', safetensorsFile({ header, data })));
    if (!value) throw new Error('not opened');
    const layers = listLayers(value.model);
    expect(layers.map((layer) => [layer.name, layer.shape, layer.channelAxis, layer.quantized])).toEqual([
      ['a', [2, 3], 0, false],
      ['conv', [1, 2, 1, 1], 0, false],
    ]);
    expect([...(layers[0]?.tensor.toFloat32().value ?? [])]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(value.unchanged()).toBe(true);
    value.close();
  });

  it('refuses models', () => {
    expect(openWeights(file('n.onnx', gemmNet())).issues).toMatchObject([{ code: 'unsupported-feature' }]);
  });
});
