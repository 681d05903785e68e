/**
 * Reads a recipe (`NAME.quant.json`, JSON with comments and trailing commas) into typed data with a span for every
 * key and value. A wrong value becomes an issue and is left out; everything else stays usable. What rules mean
 * for a model is decided in `methods/plan.ts`.
 */
import {
  createScanner,
  getLocation,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import type * as z from 'zod';
import { nearestName } from '../base/format-names';
import { type Issue, issue, type Severity } from '../base/issue';
import { readIgnores } from './recipe-ignore';
import type { Recipe, RecipeIgnore, RecipeMethod, RecipeRule } from './recipe-schema';
import {
  dataSchema,
  defaultSchema,
  gatesSchema,
  goalSchema,
  methodSchema,
  recipeKeys,
  ruleSchema,
  scalarSchema,
  valueNames,
} from './recipe-schema';

export type {
  Recipe,
  RecipeData,
  RecipeDefault,
  RecipeGates,
  RecipeGoal,
  RecipeIgnore,
  RecipeMethod,
  RecipeRule,
} from './recipe-schema';
export { recipeKeys } from './recipe-schema';

/** Character offsets [start, end). */
export type Span = readonly [number, number];

/** Where one value stands; `key` is missing for array elements. */
export interface PropertySpan {
  readonly key?: Span;
  readonly value: Span;
}

/** Where one rule of `layers` stands. */
export interface RuleSpan {
  /** Position in the file's array; larger than the rule's index after a rule that could not be read. */
  readonly index: number;
  readonly span: Span;
  readonly match: Span;
  /** Spans by key, `match` included. */
  readonly properties: Readonly<Partial<Record<keyof RecipeRule, PropertySpan>>>;
}

export interface RecipeSpans {
  /** The whole object; `undefined` when the text holds none. */
  readonly root: Span | undefined;
  /** Parallel to `recipe.layers`. */
  readonly rules: readonly RuleSpan[];
  /** Parallel to `recipe.methods`. */
  readonly methods: readonly Span[];
  /** By dotted path in the file: `model`, `default.weights`, `layers.0.match`, `gates.bytes`. */
  readonly values: ReadonlyMap<string, PropertySpan>;
}

export interface ParsedRecipe {
  /** `undefined` when the text holds no object. */
  readonly recipe: Recipe | undefined;
  readonly spans: RecipeSpans;
  readonly issues: readonly Issue[];
}

const ruleKeys = Object.keys(ruleSchema.shape) as readonly (keyof RecipeRule)[];

/** A rule list of a 100,000-layer network stays below this; anything larger is no recipe. */
const maximumLength = 16 << 20;
/** jsonc-parser recurses per level; recipes need four. */
const maximumDepth = 64;
/** A file of another kind would otherwise give one issue per token. */
const maximumIssues = 200;

/** Numbers of jsonc-parser's `SyntaxKind`, a const enum that isolated modules cannot import. */
const token = { openBrace: 1, closeBrace: 2, openBracket: 3, closeBracket: 4, end: 17 };

/** Reads a recipe. Never throws; issues carry spans, errors have severity `error`, unknown keys `warning`. */
export function parseRecipe(text: string): ParsedRecipe {
  const reader = new Reader();
  const root = readTree(text, reader);
  if (root === undefined) return { recipe: undefined, spans: reader.spans(undefined), issues: reader.issues };
  const recipe = reader.recipe(root);
  const ignores = reader.ignores(text);
  return {
    recipe: ignores.length === 0 ? recipe : { ...recipe, ignores },
    spans: reader.spans(spanOf(root)),
    issues: reader.issues,
  };
}

/** Where in the document an offset stands, for completion and hover. */
export interface RecipeLocation {
  /** Keys and indices from the top. Inside a key being typed, the last part is that key. */
  readonly path: readonly (string | number)[];
  readonly atKey: boolean;
  /** The value or key under the offset, when there is one. */
  readonly span: Span | undefined;
}

/** Location of `offset` in a recipe's text; works on incomplete text. */
export function recipeLocation(text: string, offset: number): RecipeLocation {
  if (text.length > maximumLength || tooDeep(text) !== undefined)
    return { path: [], atKey: false, span: undefined };
  const location = getLocation(text, offset);
  const node = location.previousNode;
  return {
    path: location.path,
    atKey: location.isAtPropertyKey,
    span: node === undefined ? undefined : [node.offset, node.offset + node.length],
  };
}

/** The text's root object, or `undefined` with issues when there is none or it is too deep to read. */
export function readTree(text: string, report?: { add(one: Issue): void }): Node | undefined {
  const add = (reason: string, span: Span) => report?.add(issue('recipe-syntax', { reason }, { span }));
  if (text.length > maximumLength) {
    add(`larger than ${maximumLength >> 20} MB`, [0, 1]);
    return undefined;
  }
  const deep = tooDeep(text);
  if (deep !== undefined) {
    add(`nested deeper than ${maximumDepth} levels`, [deep, deep + 1]);
    return undefined;
  }
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: false });
  for (const error of errors)
    add(syntaxReason(error), [error.offset, error.offset + Math.max(1, error.length)]);
  if (root === undefined) return undefined;
  if (root.type !== 'object') {
    if (errors.length === 0) add('the top level is not an object', spanOf(root));
    return undefined;
  }
  return root;
}

/** Offset of the first bracket below the depth limit; found without recursion. */
function tooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let kind: number = scanner.scan(); kind !== token.end; kind = scanner.scan()) {
    if (kind === token.openBrace || kind === token.openBracket) depth++;
    else if (kind === token.closeBrace || kind === token.closeBracket) depth = Math.max(0, depth - 1);
    if (depth > maximumDepth) return scanner.getTokenOffset();
  }
  return undefined;
}

class Reader {
  readonly issues: Issue[] = [];
  private readonly values = new Map<string, PropertySpan>();
  private readonly rules: RuleSpan[] = [];
  private readonly methods: Span[] = [];

  add(one: Issue): void {
    if (this.issues.length < maximumIssues) this.issues.push(one);
  }

  spans(root: Span | undefined): RecipeSpans {
    return { root, rules: this.rules, methods: this.methods, values: this.values };
  }

  recipe(root: Node): Recipe {
    const properties = this.properties(root, '', recipeKeys);
    const at = (key: string) => properties.get(key)?.value;
    const scalars: Record<string, unknown> = {};
    for (const [key, schema] of Object.entries(scalarSchema.shape)) {
      const value = at(key);
      const read = value === undefined ? undefined : this.scalar(schema, value, key);
      if (read !== undefined && key !== '$schema') scalars[key] = read;
    }
    if (at('model') === undefined)
      this.value('model', 'missing', 'the path of a model', [root.offset, root.offset + 1], 'warning');
    const optional = <K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } =>
      value === undefined ? {} : ({ [key]: value } as { [P in K]?: T });
    return {
      ...(scalars as Pick<Recipe, 'model' | 'output' | 'target'>),
      ...optional('data', this.object(dataSchema, at('data'), 'data')),
      default: this.object(defaultSchema, at('default'), 'default') ?? {},
      layers: this.readRules(at('layers')),
      methods: this.readMethods(at('methods')),
      ...optional('goal', this.object(goalSchema, at('goal'), 'goal')),
      ...optional('gates', this.object(gatesSchema, at('gates'), 'gates')),
    };
  }

  /** Comments that silence findings, after everything was read. */
  ignores(text: string): readonly RecipeIgnore[] {
    const base = this.values.get('default');
    return readIgnores(text).map((one) => {
      const covers = (span: Span | undefined) =>
        span !== undefined && span[0] >= one.span[0] && span[0] < one.span[1];
      const rules = this.rules.flatMap(({ span, match }, index) =>
        covers(span) || covers(match) ? [index] : [],
      );
      return { ...one, rules, default: covers(base?.key ?? base?.value) };
    });
  }

  private readRules(node: Node | undefined): RecipeRule[] {
    const rules: RecipeRule[] = [];
    this.elements(node, 'layers', 'a list of rules').forEach((element, index) => {
      const path = `layers.${index}`;
      const rule = this.object(ruleSchema, element, path);
      if (rule === undefined) return;
      const properties: Partial<Record<keyof RecipeRule, PropertySpan>> = {};
      for (const key of ruleKeys) {
        const span = this.values.get(`${path}.${key}`);
        if (span !== undefined) properties[key] = span;
      }
      const match = properties.match?.value ?? spanOf(element);
      rules.push(rule);
      this.rules.push({ index, span: spanOf(element), match, properties });
      if (rule.keep !== undefined && (rule.weights !== undefined || rule.activations !== undefined)) {
        const other = properties.weights ?? properties.activations;
        this.value(
          `${path}.keep`,
          'excludes weights and activations',
          'either keep or formats',
          other?.value ?? match,
          'warning',
        );
      } else if (Object.keys(properties).length === 1) {
        this.value(path, 'changes nothing', 'weights, activations or keep', match, 'warning');
      }
    });
    return rules;
  }

  private readMethods(node: Node | undefined): RecipeMethod[] {
    const methods: RecipeMethod[] = [];
    this.elements(node, 'methods', 'a list of methods').forEach((element, index) => {
      const method = this.scalar(methodSchema, element, `methods.${index}`);
      if (method === undefined) return;
      methods.push(method);
      this.methods.push(spanOf(element));
    });
    return methods;
  }

  private elements(node: Node | undefined, path: string, expected: string): readonly Node[] {
    if (node === undefined) return [];
    if (node.type !== 'array') {
      this.value(path, found(node), expected, spanOf(node));
      return [];
    }
    const elements = node.children ?? [];
    elements.forEach((element, index) => {
      this.values.set(`${path}.${index}`, { value: spanOf(element) });
    });
    return elements;
  }

  /** An object of scalar fields: bad and unknown fields are reported and left out; a missing one voids it. */
  private object<S extends z.ZodObject>(
    schema: S,
    node: Node | undefined,
    path: string,
  ): z.infer<S> | undefined {
    if (node === undefined) return undefined;
    if (node.type !== 'object') {
      this.value(path, found(node), 'an object', spanOf(node));
      return undefined;
    }
    const known = Object.keys(schema.shape);
    const properties = this.properties(node, `${path}.`, known);
    const fields: Record<string, unknown> = {};
    let complete = true;
    for (const key of known) {
      const field = schema.shape[key] as z.ZodType;
      const property = properties.get(key);
      const value = property === undefined ? undefined : this.scalar(field, property.value, `${path}.${key}`);
      if (value !== undefined) fields[key] = value;
      else if (!field.safeParse(undefined).success) {
        complete = false;
        if (property === undefined) this.value(`${path}.${key}`, 'missing', 'this key', spanOf(node));
      }
    }
    return complete ? (fields as z.infer<S>) : undefined;
  }

  private scalar<S extends z.ZodType>(schema: S, node: Node, path: string): z.infer<S> | undefined {
    const result = schema.safeParse(plainValue(node));
    if (result.success) return result.data;
    const expected = result.error.issues[0]?.message ?? '';
    const near = typeof node.value === 'string' ? nearestName(node.value, namesFor(path)) : undefined;
    this.value(path, found(node), expected, spanOf(node), 'error', near);
    return undefined;
  }

  /** Properties by key; later ones win as in JSON, unknown and repeated keys are reported. */
  private properties(
    node: Node,
    prefix: string,
    known: readonly string[],
  ): Map<string, { key: Node; value: Node }> {
    const properties = new Map<string, { key: Node; value: Node }>();
    for (const property of node.children ?? []) {
      const [key, value] = property.children ?? [];
      if (key === undefined || value === undefined) continue;
      const name = String(key.value);
      const path = prefix + name;
      if (!known.includes(name)) {
        const near = nearestName(name, known);
        const expected = near === undefined ? known.join(', ') : near;
        this.value(shorten(path), 'unknown key', expected, spanOf(key), 'warning', near);
        continue;
      }
      if (properties.has(name))
        this.value(path, 'declared twice, the last one counts', 'one', spanOf(key), 'warning');
      properties.set(name, { key, value });
      this.values.set(path, { key: spanOf(key), value: spanOf(value) });
    }
    return properties;
  }

  private value(
    key: string,
    reason: string,
    expected: string,
    span: Span,
    severity: Severity = 'error',
    nearest?: string,
  ): void {
    const facts = { key, reason, expected, ...(nearest === undefined ? {} : { nearest }) };
    this.add(issue('recipe-value', facts, { span }, severity));
  }
}

function spanOf(node: Node): Span {
  return [node.offset, node.offset + node.length];
}

/** Plain data of a node; keys such as `__proto__` become ordinary own properties. */
function plainValue(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(plainValue);
  if (node.type !== 'object') return node.value;
  const entries: [string, unknown][] = [];
  for (const { children } of node.children ?? []) {
    const [key, value] = children ?? [];
    if (key !== undefined && value !== undefined) entries.push([String(key.value), plainValue(value)]);
  }
  return Object.fromEntries(entries);
}

/** Names a value may have, for suggestions; the last key of its path tells. */
function namesFor(path: string): readonly string[] {
  const key = path.split('.').findLast((part) => !/^\d+$/.test(part)) ?? '';
  return valueNames[key] ?? [];
}

function found(node: Node): string {
  if (node.type === 'object' || node.type === 'array') return `found an ${node.type}`;
  return `found ${shorten(JSON.stringify(node.value) ?? 'nothing')}`;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** `CommaExpected` → `comma expected`. */
function syntaxReason(error: ParseError): string {
  return printParseErrorCode(error.error)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase();
}
