/** Formats by content, then by extension. */
import { expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import { type FormatName, sniff } from '../../../../server/src/engine/format/sniff';
import { gemmNet } from '../../../fixtures/build';
import { joined, plainGguf, plainSafetensors } from '../../../fixtures/weight-files';
import { varintField } from '../../../fixtures/wire';

const text = (content: string) => new TextEncoder().encode(content);
const onnxBytes = () => encodeModelBytes(gemmNet()).value ?? new Uint8Array(0);
const onnxText =
  '<\n  ir_version: 8,\n  opset_import: ["" : 17]\n>\ng (float[1] x) => (float[1] y) { y = Relu(x) }';

it.each<[string, Uint8Array, FormatName]>([
  ['model.onnx', onnxBytes(), 'onnx'],
  ['model', onnxBytes(), 'onnx'],
  ['model.safetensors', onnxBytes(), 'onnx'],
  ['model.onnx', plainSafetensors(), 'safetensors'],
  ['model.onnx', plainGguf(), 'gguf'],
  ['model', text(onnxText), 'onnxtxt'],
  ['model.onnxtxt', text(onnxText), 'onnxtxt'],
  ['model.onnxtxt', text('# a comment\ng (float[1] x) => (float[1] y) { y = Relu(x) }'), 'onnxtxt'],
  // Damaged heads: the extension names the reader that can say what is wrong.
  ['model.onnx', new Uint8Array(64), 'onnx'],
  ['model.gguf', new Uint8Array(64), 'gguf'],
  ['model.safetensors', new Uint8Array(64), 'safetensors'],
  ['model.ONNX', Uint8Array.of(0xff, 1, 2, 3), 'onnx'],
  // A header length beyond the file still belongs to its reader.
  ['model.safetensors', text('\xff\xff\xff\xff\xff\xff\xff\x7f{}'), 'safetensors'],
])('%s %#', (name, bytes, format) => {
  expect(sniff(memorySource(bytes, name))).toEqual({ value: format, issues: [] });
});

it.each<[string, Uint8Array, string | undefined]>([
  ['a.onnx', text('<!doctype HTML><p>404'), 'html'],
  ['a.onnx', text('  \n<html lang="en">'), 'html'],
  ['a.gguf', text('version https://git-lfs.github.com/spec/v1\noid sha256:12'), 'git-lfs'],
  ['a.onnx', text('{"error": "not found"}'), 'text'],
  ['a.onnx', joined(Uint8Array.of(0xef, 0xbb, 0xbf), text('words')), 'text'],
  ['a.pt', text('PK\x03\x04\0\0\0\0archive/data.pkl'), 'pytorch'],
  ['a.pt', Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc), 'pytorch'],
  ['a.zip', text('PK\x03\x04\0\0\0\0readme.md'), 'zip'],
  ['a.bin', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), undefined],
  ['a', varintField(3, 1), undefined],
])('%s looks like something else %#', (name, bytes, looksLike) => {
  const { value, issues } = sniff(memorySource(bytes, name));
  expect(value).toBeUndefined();
  expect(issues).toMatchObject([{ code: 'format-unknown', facts: { path: name } }]);
  expect(issues[0]?.code === 'format-unknown' && issues[0].facts.looksLike).toBe(looksLike);
});

it('an empty file is empty', () => {
  expect(sniff(memorySource(new Uint8Array(0), 'a.onnx')).issues).toMatchObject([{ code: 'file-empty' }]);
});
