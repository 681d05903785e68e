/** Our dequantizers against the values that the reference package reads from the same blocks, bit for bit. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { blockType, blockTypes, dequantizeBlocks } from '../../server/src/engine/numerics/ggml-blocks';

interface Case {
  readonly type: string;
  readonly kind: string;
  readonly bytes: string;
  readonly values: string;
}

const { cases }: { cases: readonly Case[] } = JSON.parse(
  readFileSync('test/golden/data/ggml-blocks.json', 'utf8'),
);

describe('GGUF blocks', () => {
  test.each(cases.map((one) => [one.type, one.kind, one] as const))('%s, %s', (name, _kind, one) => {
    const type = blockType(name);
    if (!type) throw new Error(`${name} is missing`);
    const bytes = new Uint8Array(Buffer.from(one.bytes, 'base64'));
    const expected = new Uint32Array(new Uint8Array(Buffer.from(one.values, 'base64')).buffer);
    const values = new Float32Array((bytes.length / type.bytes) * type.elements);
    dequantizeBlocks(type, bytes, values);
    expect([...new Uint32Array(values.buffer)]).toEqual([...expected]);
  });

  test('every type is covered but those the reference package cannot read', () => {
    const covered = new Set(cases.map((one) => one.type));
    const missing = blockTypes.map((type) => type.name).filter((name) => !covered.has(name));
    expect(missing).toEqual(['Q8_1', 'Q8_K']);
  });
});
