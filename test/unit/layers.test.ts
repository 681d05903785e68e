/**
 * Reads every import of the product's sources and enforces the layering of docs/architecture.md, the doors to special
 * modules, and the file size limit.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = path.resolve(__dirname, '../..');

/** Rank per area: imports may point to a lower rank or stay inside the area. Areas of equal rank never see each other. */
const ranks: readonly (readonly [prefix: string, rank: number])[] = [
  ['server/src/protocol/', 0],
  ['server/src/engine/base/', 1],
  ['server/src/engine/format/', 2],
  ['server/src/engine/numerics/', 2],
  ['server/src/script/', 2],
  ['server/src/engine/graph/', 3],
  ['server/src/engine/runtime/', 4],
  ['server/src/engine/analysis/', 5],
  ['server/src/engine/methods/', 6],
  ['server/src/engine/export/', 7],
  ['server/src/codegen/', 7],
  ['server/src/engine/', 8],
  ['server/src/rules/', 9],
  ['server/src/lsp/', 10],
  ['server/src/cli/', 11],
];

/** Modules that only some files may import. */
const doors: readonly { readonly module: RegExp; readonly allowed: readonly RegExp[] }[] = [
  { module: /^vscode$/, allowed: [/^client\//] },
  {
    module: /^vscode-languageserver(\/.*)?$/,
    allowed: [/^server\/src\/lsp\/(server|dispatch|capabilities|pull-diagnostics)\.ts$/],
  },
  { module: /^vscode-languageclient/, allowed: [/^client\//] },
  { module: /^onnxruntime-node$/, allowed: [/^server\/src\/engine\/runtime\/ort\.ts$/] },
  { module: /^sharp$/, allowed: [/^server\/src\/engine\/runtime\/images\.ts$/] },
  {
    module: /^(node:)?fs(\/promises)?$/,
    allowed: [
      /^server\/src\/engine\/base\/byte-source\.ts$/,
      /^server\/src\/engine\/export\/write\.ts$/,
      /^server\/src\/engine\/runtime\//,
      /^server\/src\/engine\/(disk-door|stamps)\.ts$/,
      /^server\/src\/(cli|lsp)\//,
      /^client\//,
    ],
  },
  { module: /^@vscode\/webview-ui-toolkit/, allowed: [/^webview\/src\/shared\/toolkit\.ts$/] },
];

const MAX_LINES = 500;

interface Import {
  readonly from: string;
  readonly to: string;
}

const sources = ['server/src', 'client/src', 'webview/src'].flatMap((folder) =>
  typescriptFiles(path.join(root, folder)),
);
const imports = sources.flatMap(importsOf);

describe('layers', () => {
  it('sees the sources', () => {
    expect(sources.length).toBeGreaterThan(80);
    expect(imports.length).toBeGreaterThan(sources.length);
  });

  it('import downward only', () => {
    const upward = imports.filter(
      ({ from, to }) => to.startsWith('server/') && from.startsWith('server/') && !mayImport(from, to),
    );
    expect(upward).toEqual([]);
  });

  it('client and webview import only the protocol of the server', () => {
    const outside = imports.filter(
      ({ from, to }) =>
        /^(client|webview)\//.test(from) &&
        to.startsWith('server/') &&
        !to.startsWith('server/src/protocol/'),
    );
    expect(outside).toEqual([]);
  });

  it('the server imports neither client nor webview', () => {
    expect(
      imports.filter(({ from, to }) => from.startsWith('server/') && /^(client|webview)\//.test(to)),
    ).toEqual([]);
  });

  it('special modules come in by their door', () => {
    const wrong = imports.filter(({ from, to }) =>
      doors.some((door) => door.module.test(to) && !door.allowed.some((allowed) => allowed.test(from))),
    );
    expect(wrong).toEqual([]);
  });

  it('no file is longer than the limit', () => {
    const long = sources
      .filter((file) => !/\/kernels\/.*(wasm|base64)/.test(file))
      .map((file) => ({ file, lines: fs.readFileSync(path.join(root, file), 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('the check itself finds a violation', () => {
    expect(mayImport('server/src/engine/base/issue.ts', 'server/src/engine/graph/ir.ts')).toBe(false);
    expect(mayImport('server/src/engine/format/npy.ts', 'server/src/engine/numerics/affine.ts')).toBe(false);
    expect(mayImport('server/src/engine/graph/ir.ts', 'server/src/engine/base/issue.ts')).toBe(true);
  });
});

function mayImport(from: string, to: string): boolean {
  const [fromArea, fromRank] = areaOf(from);
  const [toArea, toRank] = areaOf(to);
  return fromArea === toArea || toRank < fromRank;
}

function areaOf(file: string): readonly [string, number] {
  const found = ranks.find(([prefix]) => file.startsWith(prefix));
  if (!found) throw new Error(`${file} belongs to no layer`);
  return found;
}

function importsOf(file: string): Import[] {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  // The scanner sees type-only and dynamic imports too.
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => ({
    from: file,
    to: fileName.startsWith('.')
      ? path.posix.normalize(path.posix.join(path.posix.dirname(file), fileName))
      : fileName,
  }));
}

function typescriptFiles(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .sort();
}
