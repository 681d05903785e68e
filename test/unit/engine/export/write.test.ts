import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { type ByteSource, memorySource, ShortRead } from '../../../../server/src/engine/base/byte-source';
import { issue } from '../../../../server/src/engine/base/issue';
import {
  removeTemporaries,
  writeBytes,
  writeModel,
  writeProto,
  writeText,
} from '../../../../server/src/engine/export/write';
import { ExternalFiles } from '../../../../server/src/engine/format/onnx-external';
import { openModel } from '../../../../server/src/engine/graph/open';
import { matmulNet } from '../../../fixtures/build';
import { graphOf, noiseFeeds, runGraph } from '../../../fixtures/run-graph';

let folder = '';
const at = (...parts: string[]) => path.join(folder, ...parts);
const listing = () => fs.readdirSync(folder).sort();

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantlens-write-'));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true });
});

describe('a failure leaves what was there', () => {
  const file = () => at('out.onnx');
  const cases: readonly [name: string, write: () => Promise<unknown>, code: string][] = [
    [
      'source becomes shorter',
      () => writeBytes(file(), [slice(broken(new ShortRead('m.onnx')))], { sources: [] }),
      'file-changed',
    ],
    [
      'disk full',
      () => writeBytes(file(), [new Uint8Array(10), slice(broken(systemError('ENOSPC')))], { sources: [] }),
      'write-failed: the disk is full',
    ],
    [
      'rejected',
      () =>
        writeProto(matmulNet(), file(), {
          sources: [],
          accept: async () => [issue('verify-failed', { path: 'x', sqnr: 1 })],
        }),
      'verify-failed',
    ],
    [
      'folder is missing',
      () => writeText(at('none', 'out.onnx'), 'x', []),
      'output-unusable: the folder does not exist',
    ],
    ['a folder', () => writeText(folder, 'x', []), 'output-unusable: it is a folder'],
    ['a device', () => writeText('/dev/null', 'x', []), 'output-unusable: not a regular file'],
  ];
  test.each(cases)('%s', async (_name, write, code) => {
    fs.writeFileSync(file(), 'before');
    const { value, issues } = (await write()) as Awaited<ReturnType<typeof writeText>>;
    expect(value).toBeUndefined();
    expect(
      issues.map((one) => ('reason' in one.facts ? `${one.code}: ${one.facts.reason}` : one.code)),
    ).toEqual([code]);
    expect(fs.readFileSync(file(), 'utf8')).toBe('before');
    expect(listing()).toEqual(['out.onnx']);
  });

  it('a cancel', async () => {
    const controller = new AbortController();
    const cancelling = {
      ...memorySource(new Uint8Array(100)),
      read: () => {
        controller.abort();
        return new Uint8Array(100);
      },
    };
    const chunk = { source: cancelling, offset: 0, length: 100 };
    await expect(writeBytes(file(), [chunk], { sources: [], signal: controller.signal })).rejects.toThrow(
      'cancelled',
    );
    expect(listing()).toEqual([]);
  });

  it('our own bug, which is thrown on', async () => {
    await expect(writeBytes(file(), [slice(broken(new TypeError('bug')))], { sources: [] })).rejects.toThrow(
      'bug',
    );
    expect(listing()).toEqual([]);
  });

  it('a rejected model with a data file', async () => {
    fs.writeFileSync(file(), 'before');
    fs.writeFileSync(`${file()}.data`, 'data before');
    const options = {
      sources: [],
      largestFile: 100,
      accept: async () => [issue('verify-failed', { path: 'x', sqnr: 1 })],
    };
    expect((await writeProto(matmulNet(64, 64), file(), options)).value).toBeUndefined();
    expect(fs.readFileSync(`${file()}.data`, 'utf8')).toBe('data before');
    expect(listing()).toEqual(['out.onnx', 'out.onnx.data']);
  });
});

describe('the source survives', () => {
  const cases: readonly [name: string, target: () => string][] = [
    ['same path', () => at('model.onnx')],
    ['other spelling', () => `${folder}/./sub/../model.onnx`],
    ['symbolic link', () => link('link.onnx', (to) => fs.symlinkSync(at('model.onnx'), to))],
    [
      'link to a link',
      () =>
        link('second.onnx', (to) =>
          fs.symlinkSync(
            link('first.onnx', (inner) => fs.symlinkSync('model.onnx', inner)),
            to,
          ),
        ),
    ],
    ['hard link', () => link('hard.onnx', (to) => fs.linkSync(at('model.onnx'), to))],
    [
      'through a linked folder',
      () =>
        path.join(
          link('folder', (to) => fs.symlinkSync(folder, to)),
          'model.onnx',
        ),
    ],
    ['its external data', () => at('weights.bin')],
  ];
  test.each(cases)('%s', async (_name, target) => {
    fs.mkdirSync(at('sub'));
    fs.writeFileSync(at('model.onnx'), 'precious');
    fs.writeFileSync(at('weights.bin'), 'precious');
    const { value, issues } = await writeText(target(), 'new', [at('model.onnx'), at('weights.bin')]);
    expect(value).toBeUndefined();
    expect(issues.map((one) => one.code)).toEqual(['write-over-source']);
    expect(fs.readFileSync(at('model.onnx'), 'utf8')).toBe('precious');
    expect(fs.readFileSync(at('weights.bin'), 'utf8')).toBe('precious');
  });

  it('but another file beside it may be replaced', async () => {
    fs.writeFileSync(at('model.onnx'), 'precious');
    fs.writeFileSync(at('other.onnx'), 'old');
    expect((await writeText(at('other.onnx'), 'new', [at('model.onnx')])).issues).toEqual([]);
    expect(fs.readFileSync(at('other.onnx'), 'utf8')).toBe('new');
  });

  it('a data file that would fall on it', async () => {
    fs.writeFileSync(at('out.onnx.data'), 'precious');
    const { issues } = await writeProto(matmulNet(64, 64), at('out.onnx'), {
      sources: [at('out.onnx.data')],
      largestFile: 100,
    });
    expect(issues.map((one) => one.code)).toEqual(['write-over-source']);
    expect(listing()).toEqual(['out.onnx.data']);
  });

  function link(name: string, make: (to: string) => void): string {
    make(at(name));
    return at(name);
  }
});

describe('success', () => {
  it('follows a link to another file instead of replacing it', async () => {
    fs.writeFileSync(at('real.txt'), 'old');
    fs.symlinkSync(at('real.txt'), at('link.txt'));
    expect((await writeText(at('link.txt'), 'new', [])).value?.bytes).toBe(3);
    expect(fs.readFileSync(at('real.txt'), 'utf8')).toBe('new');
    expect(fs.lstatSync(at('link.txt')).isSymbolicLink()).toBe(true);
  });

  it('shows the complete model under a temporary name, and only then the real one', async () => {
    let seen = '';
    const written = await writeProto(matmulNet(), at('out.onnx'), {
      sources: [],
      accept: async (temporary) => {
        seen = temporary;
        expect(fs.existsSync(at('out.onnx'))).toBe(false);
        await (await InferenceSession.create(temporary)).release();
        return [issue('data-empty', { source: '' }, {}, 'warning')];
      },
    });
    expect(written.value?.files).toEqual([at('out.onnx')]);
    expect(written.issues.map((one) => one.code)).toEqual(['data-empty']);
    expect(path.dirname(seen)).toBe(folder);
    expect(listing()).toEqual(['out.onnx']);
    expect(fs.statSync(at('out.onnx')).size).toBe(written.value?.bytes);
  });

  it('moves weights of a large model to one data file', async () => {
    const proto = matmulNet(64, 64);
    const written = await writeProto(proto, at('big.onnx'), { sources: [], largestFile: 1000 });
    expect(listing()).toEqual(['big.onnx', 'big.onnx.data']);
    expect(written.value?.bytes).toBe(
      fs.statSync(at('big.onnx')).size + fs.statSync(at('big.onnx.data')).size,
    );
    const model = graphOf(proto);
    const feeds = noiseFeeds(model, 2);
    const expected = await runGraph(model, feeds);
    expect(await runFile(at('big.onnx'), feeds)).toEqual(expected.output?.values);
    const opened = openModel(at('big.onnx')).value;
    const [first, second] = opened?.proto.graph?.initializers ?? [];
    expect(first?.payload).toMatchObject({
      kind: 'external',
      location: 'big.onnx.data',
      offset: 0,
      length: 16384,
    });
    expect(second?.payload).toMatchObject({ kind: 'external', offset: 16384, length: 1024 });
    opened?.close();
  });

  it('takes external data of the source into the file', async () => {
    await writeProto(matmulNet(64, 64), at('source.onnx'), { sources: [], largestFile: 1000 });
    fs.mkdirSync(at('elsewhere'));
    const opened = openModel(at('source.onnx')).value;
    if (!opened) throw new Error('opens');
    const options = { sources: [at('source.onnx')], external: opened.external };
    expect((await writeModel(opened.model, at('elsewhere', 'copy.onnx'), options)).issues).toEqual([]);
    const feeds = noiseFeeds(opened.model, 2);
    expect(await runFile(at('elsewhere', 'copy.onnx'), feeds)).toEqual(
      await runFile(at('source.onnx'), feeds),
    );
    opened.close();
    const lost = await writeModel(opened.model, at('copy.onnx'), {
      sources: [],
      external: new ExternalFiles(at('elsewhere')),
    });
    expect(lost.issues.map((one) => one.code)).toEqual(['external-missing', 'external-missing']);
  });

  it('removes temporary files of a killed process', () => {
    const kept = ['.other.onnx.12-2-3.quantlens-tmp', '.out.onnx.123-2-3.quantlens-tmp'];
    for (const name of [...kept, '.out.onnx.12-2-3.quantlens-tmp', '.out.onnx.data.12-2-3.quantlens-tmp'])
      fs.writeFileSync(at(name), '');
    removeTemporaries(at('out.onnx'), 12);
    expect(listing()).toEqual(kept);
    removeTemporaries(at('none', 'out.onnx'), 12);
  });
});

/** A source whose reads fail. */
function broken(error: Error): ByteSource {
  return {
    ...memorySource(new Uint8Array(100)),
    size: 100,
    read: () => {
      throw error;
    },
  };
}

function slice(source: ByteSource) {
  return { source, offset: 0, length: 100 };
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

async function runFile(file: string, feeds: ReturnType<typeof noiseFeeds>): Promise<readonly number[]> {
  const session = await InferenceSession.create(file, {
    graphOptimizationLevel: 'disabled',
    intraOpNumThreads: 1,
  });
  const inputs = Object.entries(feeds).map(([name, { data, shape }]) => [
    name,
    new Tensor('float32', data as Float32Array, shape),
  ]);
  const results = await session.run(Object.fromEntries(inputs));
  await session.release();
  return Array.from(results.output?.data as Float32Array);
}
