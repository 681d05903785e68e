/**
 * Holds the manifest to the sources: commands, settings, words. What stands in two places is compared here, so that
 * nothing the user sees is forgotten, untranslatable or left over.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { commandIds } from '../../client/src/command-ids';
import manifest from '../../package.json';
import words from '../../package.nls.json';
import type { IssueCode } from '../../server/src/protocol/issues';
import { clientCommands, defaultSettings } from '../../server/src/protocol/lsp-ext';
import { modelRules } from '../../server/src/rules';
import { scriptRules } from '../../server/src/rules/script';

const root = path.resolve(__dirname, '../..');
const { contributes } = manifest;
const properties: Readonly<Record<string, { readonly default: unknown }>> =
  contributes.configuration.properties;
const recipeCodes = ['R01', 'R02', 'R03', 'R04', 'R05'] satisfies readonly IssueCode[];

describe('commands', () => {
  const declared = contributes.commands.map(({ command }) => command);

  it('of the manifest are those that the client handles', () => {
    expect([...declared].sort()).toEqual([...commandIds].sort());
  });

  it('include all that the server may name', () => {
    expect(declared).toEqual(expect.arrayContaining(Object.values(clientCommands)));
  });

  it('of menus, walkthroughs and welcome texts exist', () => {
    const inMenus = Object.values(contributes.menus).flatMap((items) => items.map(({ command }) => command));
    const inTexts = [
      ...JSON.stringify([words, contributes.walkthroughs]).matchAll(/\b(?:command|onCommand):([\w.]+)/g),
    ];
    const named = [...inMenus, ...inTexts.map((match) => match[1] ?? '')];
    // The editor's own, which opens its page on trust.
    const known: readonly string[] = [...declared, 'workbench.trust.manage'];
    expect(named.filter((one) => !known.includes(one))).toEqual([]);
    expect(inTexts.length).toBeGreaterThanOrEqual(8);
  });

  it('that need arguments are not offered by the palette', () => {
    const hidden = contributes.menus.commandPalette
      .filter(({ when }) => when === 'false')
      .map(({ command }) => command);
    const needing = commandIds.filter(
      (id) => id.startsWith('quantlens.layer.') || id === clientCommands.editRecipe,
    );
    expect(hidden).toEqual(expect.arrayContaining(needing));
  });
});

describe('the package', () => {
  it('holds the files by which the bundles import their libraries', () => {
    const shipped = fs.readFileSync(path.join(root, '.vscodeignore'), 'utf8');
    const library = path.join(root, 'node_modules/sharp/package.json');
    const { exports } = JSON.parse(fs.readFileSync(library, 'utf8'));
    // The bundles say require('sharp'), also where the sources import it on demand.
    expect(shipped).toContain(`!node_modules/sharp/dist/**/*${path.extname(exports['.'].require.default)}`);
  });
});

describe('settings', () => {
  it('have the defaults of the protocol', () => {
    const own = Object.entries(properties).filter(([key]) => key !== 'quantlens.trace.server');
    const defaults = Object.fromEntries(own.map(([key, property]) => [key, property.default]));
    expect(defaults).toEqual(flatten('quantlens', defaultSettings));
  });

  it('offer a severity for every code that can be found', () => {
    const codes = Object.keys(contributes.configuration.properties['quantlens.severity'].properties);
    expect(codes.sort()).toEqual(
      [...modelRules, ...scriptRules]
        .map(({ code }): string => code)
        .concat(recipeCodes)
        .sort(),
    );
  });

  it('that a restricted workspace may not set exist', () => {
    const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
    expect(restricted.filter((key) => !(key in properties))).toEqual([]);
  });
});

describe('files that the manifest names', () => {
  it('exist', () => {
    const named = [
      ...JSON.stringify(contributes).matchAll(/"((?:\.\/)?(?:media|syntaxes|schemas)\/[^"]+)"/g),
    ];
    const files = [
      manifest.icon,
      ...contributes.languages.flatMap(({ configuration }) => configuration ?? []),
      ...named.map((match) => match[1] ?? ''),
    ];
    expect(files.length).toBeGreaterThan(8);
    expect(files.filter((file) => !fs.existsSync(path.join(root, file)))).toEqual([]);
  });
});

describe('words of the manifest', () => {
  const used = [...JSON.stringify(manifest).matchAll(/"%([^%"]+)%"/g)].map((match) => match[1] ?? '');

  it('are all there', () => {
    expect(used.filter((key) => !(key in words))).toEqual([]);
  });

  it('are all used', () => {
    expect(Object.keys(words).filter((key) => !used.includes(key))).toEqual([]);
  });

  it('stand in no title of the manifest itself', () => {
    // A problem matcher's name is what tasks.json calls it.
    const { problemMatchers: _, ...titled } = contributes;
    const texts = JSON.stringify(titled).matchAll(
      /"(title|name|displayName|description|markdownDescription|contents|altText)":"([^"]*)"/g,
    );
    const untranslated = [...texts].map((match) => match[2] ?? '').filter((text) => !/^%.*%$/.test(text));
    expect([...new Set(untranslated)]).toEqual(['Quantlens']);
  });
});

describe('words of the client', () => {
  const files = sourcesOf('client/src');

  it('are listed for translation, no more and no fewer', () => {
    const found = new Set(
      files.flatMap((file) => callsOf(file, /l10n\.t$/).map((call) => literalOf(call.arguments[0]))),
    );
    expect([...found].filter((text) => text === undefined)).toEqual([]);
    const bundle: Readonly<Record<string, string>> = readJson('l10n/bundle.l10n.json');
    expect(Object.keys(bundle).sort()).toEqual([...found].sort());
    expect(Object.entries(bundle).filter(([key, text]) => key !== text)).toEqual([]);
  });

  it('reach the user only translated', () => {
    const shown = files.flatMap((file) => callsOf(file, /window\.show(Information|Warning|Error)Message$/));
    const plain = shown.flatMap((call) =>
      call.arguments.filter((one) => ts.isStringLiteralLike(one) || ts.isTemplateExpression(one)),
    );
    expect(shown.length).toBeGreaterThan(8);
    expect(plain.map((one) => one.getText())).toEqual([]);
  });
});

describe('words of the webviews', () => {
  const provided = new Set(
    ['client/src/panel-words.ts', 'client/src/model-words.ts', 'client/src/progress-text.ts'].flatMap(
      (file) => propertyNames(parse(file)),
    ),
  );
  const asked = sourcesOf('webview/src').flatMap((file) => callsOf(file, /^say$/));
  const literals = new Set(asked.flatMap((call) => call.arguments.slice(0, 1).flatMap(keysIn)));
  const prefixes = [...literals].filter((key) => key.endsWith('.'));

  it('are provided for every key that a page asks for', () => {
    const missing = [...literals].filter((key) => !key.endsWith('.') && !provided.has(key));
    expect(missing).toEqual([]);
    expect(literals.size).toBeGreaterThan(60);
  });

  it('are provided for every group of keys that a page makes up', () => {
    // The words of stages and units are made from their lists.
    const made = ['stage.', 'unit.'];
    const missing = prefixes.filter(
      (prefix) => !made.includes(prefix) && ![...provided].some((key) => key.startsWith(prefix)),
    );
    expect(missing).toEqual([]);
    expect(prefixes).toEqual(expect.arrayContaining([...made, 'verdict.', 'fix.', 'effect.', 'field.']));
  });

  it('are all asked for', () => {
    const unused = [...provided].filter(
      (key) => !literals.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });
});

function flatten(prefix: string, value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => {
      const name = `${prefix}.${key}`;
      const isGroup = typeof one === 'object' && one !== null && Object.keys(one).length > 0;
      return isGroup ? Object.entries(flatten(name, one)) : [[name, one]];
    }),
  );
}

function sourcesOf(folder: string): readonly ts.SourceFile[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => parse(path.join(folder, file)));
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(
    file,
    fs.readFileSync(path.join(root, file), 'utf8'),
    ts.ScriptTarget.ES2022,
    true,
  );
}

/** Calls of functions whose text matches. */
function callsOf(file: ts.SourceFile, callee: RegExp): readonly ts.CallExpression[] {
  return nodesOf(file)
    .filter((node) => ts.isCallExpression(node))
    .filter((call) => callee.test(call.expression.getText()));
}

function nodesOf(node: ts.Node): readonly ts.Node[] {
  return [node, ...node.getChildren().flatMap(nodesOf)];
}

function literalOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined;
}

/** Keys named inside an argument: literals, both arms of a choice, and the fixed head of a made-up key. */
function keysIn(argument: ts.Node): readonly string[] {
  if (ts.isStringLiteralLike(argument)) return [argument.text];
  if (ts.isTemplateExpression(argument)) return [argument.head.text];
  if (ts.isConditionalExpression(argument))
    return [...keysIn(argument.whenTrue), ...keysIn(argument.whenFalse)];
  // A variable: its values are keys of their own, found where they are written down.
  return [];
}

function propertyNames(file: ts.SourceFile): readonly string[] {
  return nodesOf(file)
    .filter((node) => ts.isPropertyAssignment(node))
    .map(({ name }) => (ts.isStringLiteralLike(name) ? name.text : name.getText()));
}

function readJson(file: string): Record<string, string> {
  return JSON.parse(fs.readFileSync(path.join(root, file), 'utf8'));
}
