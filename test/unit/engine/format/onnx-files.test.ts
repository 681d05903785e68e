/** ONNX files that are damaged, hostile, something else, or too big to read. */
import { describe, expect, it } from 'vitest';
import { memorySource, ShortRead } from '../../../../server/src/engine/base/byte-source';
import type { Issue } from '../../../../server/src/engine/base/issue';
import { MessageReader } from '../../../../server/src/engine/format/message-reader';
import { decodeModel } from '../../../../server/src/engine/format/onnx-decode';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { gemmNet, model, node, valueInfo } from '../../../fixtures/build';
import { sparseSource, watchedSource } from '../../../fixtures/sources';
import { joined } from '../../../fixtures/weight-files';
import { bytesField, lyingField, varintField } from '../../../fixtures/wire';

const encoded = (value: ModelProto): Uint8Array => {
  const bytes = encodeModelBytes(value).value;
  if (bytes === undefined) throw new Error('not encoded');
  return bytes;
};

/** Decoding gives no value and exactly this issue. */
function checkIssue(bytes: Uint8Array, code: Issue['code'], facts: object = {}): void {
  const { value, issues } = decodeModel(memorySource(bytes, 'test.onnx'));
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({ code, facts: { path: 'test.onnx', ...facts }, severity: 'error' });
}

describe('files that are no whole model', () => {
  const good = () => encoded(gemmNet());
  const deep = (levels: number) => {
    let body = bytesField(2, 'g');
    for (let level = 0; level < levels; level++)
      body = bytesField(1, bytesField(5, varintField(20, 5), bytesField(6, body)));
    return joined(varintField(1, 8), bytesField(7, body));
  };
  const text = (content: string) => new TextEncoder().encode(content);

  it('empty', () => checkIssue(new Uint8Array(0), 'file-empty'));
  it('an HTML page', () =>
    checkIssue(text('<!DOCTYPE html>\n<html></html>'), 'format-unknown', { looksLike: 'html' }));
  it('a Git LFS pointer', () =>
    checkIssue(text('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), 'format-unknown', {
      looksLike: 'git-lfs',
    }));
  it('text', () => checkIssue(text('just a few words'), 'format-unknown', { looksLike: 'text' }));
  it('a zip', () => checkIssue(text('PK\x03\x04 and more'), 'format-unknown', { looksLike: 'zip' }));
  it('a PyTorch archive', () =>
    checkIssue(text('PK\x03\x04\x00\x00archive/data.pkl'), 'format-unknown', { looksLike: 'pytorch' }));
  it('noise', () => checkIssue(Uint8Array.of(0xff, 0xfe, 0x01, 0x99, 0x12), 'format-unknown'));
  it('another protocol buffer', () =>
    checkIssue(joined(bytesField(50, 'abc'), varintField(51, 1)), 'format-unknown'));
  it('zeros', () => checkIssue(joined(new Uint8Array(64), good()), 'format-damaged', { offset: 0 }));
  it('a model without a graph', () =>
    checkIssue(varintField(1, 8), 'format-damaged', { reason: 'the model has no graph' }));
  it('bytes after the end', () => {
    const file = good();
    checkIssue(joined(file, Uint8Array.of(0, 1, 2)), 'format-damaged', { offset: file.length });
    checkIssue(joined(file, Uint8Array.of(0xff, 0xff, 0xff)), 'format-damaged', { offset: file.length });
  });
  it('cut inside the graph: how much there should be', () => {
    const whole = joined(varintField(1, 8), bytesField(7, new Uint8Array(100)));
    checkIssue(whole.slice(0, 60), 'format-truncated', { need: whole.length, have: 60 });
  });
  it('a length that no file has', () =>
    checkIssue(joined(varintField(1, 8), lyingField(7, 2n ** 60n)), 'format-damaged', { offset: 3 }));
  it('a length inside the graph that leaves the graph', () => {
    // The file goes on after the graph, so only the graph's own end can tell.
    const file = joined(
      varintField(1, 8),
      bytesField(7, lyingField(1, 50)),
      bytesField(6, new Uint8Array(100)),
    );
    checkIssue(file, 'format-damaged', { offset: 5, reason: 'a length of 50 bytes where 0 are left' });
  });
  it('a number that leaves its message', () => {
    const file = joined(
      varintField(1, 8),
      bytesField(7, Uint8Array.of(0x08 | 0x02, 0x01, 0x80)),
      varintField(5, 1),
    );
    checkIssue(file, 'format-damaged');
    checkIssue(
      joined(varintField(1, 8), bytesField(7, bytesField(5, Uint8Array.of(0x10, 0x80))), varintField(5, 1)),
      'format-damaged',
    );
  });
  it('a field of the wrong wire type', () =>
    checkIssue(joined(varintField(1, 8), varintField(7, 5)), 'format-damaged', {
      offset: 2,
      reason: 'field "graph" of ModelProto has wire type 0',
    }));
  it('packed floats that end inside a float', () =>
    checkIssue(
      joined(varintField(1, 8), bytesField(7, bytesField(5, bytesField(4, new Uint8Array(6))))),
      'format-damaged',
    ));
  it('subgraphs in subgraphs: 32 levels are read, 500 are one issue', () => {
    expect(decodeModel(memorySource(deep(32))).value?.graph?.nodes).toHaveLength(1);
    checkIssue(deep(500), 'format-limit', { what: 'the depth of messages in messages', limit: 100 });
  });
  it('a file that becomes shorter while it is read', () => {
    const source = { ...memorySource(new Uint8Array(0)), path: 'test.onnx', size: 10_000 };
    const short = () => {
      throw new ShortRead('test.onnx');
    };
    const { value, issues } = decodeModel({ ...source, read: short, readInto: short, close: () => {} });
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'file-changed', facts: { path: 'test.onnx' } }]);
  });
  it('every truncation of a model gives one issue or, between its fields, a smaller model', () => {
    const file = good();
    for (let length = 0; length < file.length; length++) {
      const { value, issues } = decodeModel(memorySource(file.slice(0, length)));
      expect(issues.length, `cut at ${length}`).toBe(value === undefined ? 1 : 0);
    }
  });
});

describe('big files', () => {
  it('are scanned without reading weights', () => {
    const layers = 24;
    const weightBytes = 64 * 2 ** 20;
    const parts: { offset: number; bytes: Uint8Array }[] = [];
    const forbidden: [number, number][] = [];
    const names = Array.from({ length: layers }, (_, index) => `layer${index}.weight`);
    const heads = names.map((name) => {
      const fields = [varintField(1, 4096), varintField(1, 4096), varintField(2, 1), bytesField(8, name)];
      const body = joined(...fields, lyingField(9, weightBytes));
      return joined(lyingField(5, body.length + weightBytes), body);
    });
    const tail = bytesField(12, bytesField(1, 'y'));
    const graphBytes = heads.reduce((sum, head) => sum + head.length + weightBytes, tail.length);
    let offset = 0;
    const put = (bytes: Uint8Array) => {
      parts.push({ offset, bytes });
      offset += bytes.length;
    };
    put(joined(varintField(1, 8), lyingField(7, graphBytes)));
    for (const head of heads) {
      put(head);
      // A window opened at the header may run 4 KiB into the weights.
      forbidden.push([offset + 8192, weightBytes - 8192]);
      offset += weightBytes;
    }
    put(tail);
    put(bytesField(8, varintField(2, 17)));
    const source = sparseSource(offset, parts, forbidden);
    let bytesRead = 0;
    const counting = {
      ...source,
      readInto: (target: Uint8Array, at: number) => {
        bytesRead += target.length;
        source.readInto(target, at);
      },
    };
    const { value, issues } = decodeModel(counting);
    expect(issues).toEqual([]);
    expect(value?.graph?.initializers.map((one) => one.name)).toEqual(names);
    expect(offset).toBeGreaterThan(1.5e9);
    expect(bytesRead).toBeLessThan(layers * 8192);
  });

  it('with many nodes are read once', () => {
    const count = 20_000;
    const nodes = Array.from({ length: count }, (_, index) => node('Relu', [`t${index}`], [`t${index + 1}`]));
    const file = encoded(model({ outputs: [valueInfo(`t${count}`, [1])], nodes }));
    const source = watchedSource(file);
    expect(decodeModel(source).value?.graph?.nodes).toEqual(nodes);
    const read = source.reads.reduce((sum, [, length]) => sum + length, 0);
    expect(read).toBe(file.length);
  });

  it('stop at a limit instead of exhausting memory', () => {
    const emptyNodes = joined(...Array.from({ length: 1000 }, () => bytesField(1)));
    const file = joined(varintField(1, 8), bytesField(7, emptyNodes));
    const whole = new MessageReader(memorySource(file));
    expect(whole.read('ModelProto')).toBeDefined();
    const limited = new MessageReader(memorySource(file), 2000);
    expect(limited.read('ModelProto')).toBeUndefined();
    expect(limited.failure?.limit).toMatchObject({ limit: 2000 });
  });

  it('with huge names stop before the name is read', () => {
    const name = joined(lyingField(2, 600 * 2 ** 20));
    const graphBytes = name.length + 600 * 2 ** 20;
    const head = joined(varintField(1, 8), lyingField(7, graphBytes), name);
    const source = sparseSource(head.length + 600 * 2 ** 20, [{ offset: 0, bytes: head }], [[8192, 2 ** 40]]);
    const { value, issues } = decodeModel(source);
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([
      { code: 'format-limit', facts: { what: 'the size of names and small values' } },
    ]);
  });
});
