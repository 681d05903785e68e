/** SARIF 2.1.0: what the schema requires, regions by hand, fingerprints that stay. */
import { describe, expect, it } from 'vitest';
import { sarif } from '../../../server/src/cli/sarif';
import { type Issue, issue } from '../../../server/src/engine/base/issue';

interface Log {
  readonly version: string;
  readonly $schema: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly rules: readonly {
          readonly id: string;
          readonly helpUri: string;
          readonly shortDescription: { readonly text: string };
          readonly defaultConfiguration: { readonly level: string };
        }[];
      };
    };
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation?: {
          readonly artifactLocation: { readonly uri: string };
          readonly region: Readonly<Record<string, number>>;
        };
        readonly logicalLocations?: readonly { readonly fullyQualifiedName: string }[];
      }[];
      readonly partialFingerprints: Readonly<Record<string, string>>;
    }[];
  }[];
}

const text = '{\n  "layers": [\n    {"match": "conv9"}\n  ]\n}\n';
const at = text.indexOf('"conv9"');
const rule = (span: readonly [number, number], nearest?: string) =>
  issue('R01', { match: 'conv9', nearest }, { path: 'a b/m.quant.json', span }, 'warning');
const dead = issue('M13', { channels: [1], total: 8 }, { path: 'm.onnx', layer: 'conv1' }, 'information');
const log = (issues: readonly Issue[]) => sarif(issues, () => text) as Log;
const results = (issues: readonly Issue[]) => log(issues).runs[0]?.results ?? [];
const prints = (issues: readonly Issue[]) =>
  results(issues).map(({ partialFingerprints }) => partialFingerprints['quantlens/v1']);

describe('a SARIF log', () => {
  const whole = log([rule([at, at + 7]), dead, issue('file-empty', { path: 'e.onnx' }, { path: 'e.onnx' })]);
  const [run] = whole.runs;
  const rules = run?.tool.driver.rules ?? [];

  it('has what the schema requires', () => {
    expect([whole.version, whole.runs.length, run?.tool.driver.name]).toEqual(['2.1.0', 1, 'Quantlens']);
    expect(whole.$schema).toContain('sarif-2.1.0');
    expect(run?.results.every(({ message }) => message.text !== '')).toBe(true);
  });
  it('names the cell of a notebook in the message', () => {
    const [first] =
      (
        sarif(
          [rule([at, at + 7])],
          () => text,
          true,
          () => 'cell 3',
        ) as Log
      ).runs[0]?.results ?? [];
    expect(first?.message.text).toMatch(/^cell 3: "conv9" /);
  });
  it('describes every rule once, with a page and a level', () => {
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    expect(rules.length).toBeGreaterThan(30);
    for (const { helpUri, shortDescription, defaultConfiguration } of rules) {
      expect(() => new URL(helpUri)).not.toThrow();
      expect(shortDescription.text).not.toBe('');
      expect(['error', 'warning', 'note', 'none']).toContain(defaultConfiguration.level);
    }
  });
  it('points from every result to its rule', () => {
    for (const { ruleId, ruleIndex } of run?.results ?? []) expect(rules[ruleIndex]?.id).toBe(ruleId);
  });
  it('tells lines and columns from 1, the end behind the last character', () => {
    const [{ locations } = { locations: [] }] = run?.results ?? [];
    expect(locations[0]?.physicalLocation).toEqual({
      artifactLocation: { uri: 'a%20b/m.quant.json' },
      region: { startLine: 3, startColumn: 15, endLine: 3, endColumn: 22, charOffset: at, charLength: 7 },
    });
  });
  it('names the layer of a model and its first line', () => {
    const location = run?.results[1]?.locations[0];
    expect(location?.logicalLocations).toEqual([
      { name: 'conv1', fullyQualifiedName: 'conv1', kind: 'element' },
    ]);
    expect(location?.physicalLocation?.region).toEqual({ startLine: 1 });
  });
});

describe('fingerprints', () => {
  it('stay when lines move and figures change', () => {
    expect(prints([rule([at, at + 7])])).toEqual(prints([rule([at + 40, at + 47], 'conv1')]));
  });
  it('differ between layers, files and codes, and count what is alike', () => {
    const other = { ...dead, anchor: { ...dead.anchor, layer: 'conv2' } };
    const file = { ...dead, anchor: { ...dead.anchor, path: 'n.onnx' } };
    const all = prints([dead, other, file, rule([at, at + 7]), dead]);
    expect(new Set(all).size).toBe(5);
  });
});
