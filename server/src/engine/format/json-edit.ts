/**
 * Inserts, replaces and removes members of JSON objects and arrays in a text with comments. Unlike a formatter it never
 * touches what stands between other members: comments keep their place, one-line objects stay on one line.
 */
import { createScanner, type Node } from 'jsonc-parser';

/** Replaces `length` characters at `offset` by `content`. */
export interface TextEdit {
  readonly offset: number;
  readonly length: number;
  readonly content: string;
}

/** Applies ordered edits that do not overlap. */
export function applyTextEdits(text: string, edits: readonly TextEdit[]): string {
  let result = '';
  let position = 0;
  for (const { offset, length, content } of edits) {
    result += text.slice(position, offset) + content;
    position = offset + length;
  }
  return result + text.slice(position);
}

/** Changes the properties of one object. */
export class ObjectEditor {
  constructor(
    private readonly text: string,
    private readonly node: Node,
  ) {}

  /** The value of a property; of repeated ones the last, which is the one that counts. */
  value(key: string): Node | undefined {
    return this.property(key)?.children?.[1];
  }

  /** Sets one property; `undefined` removes it. */
  set(key: string, value: unknown): TextEdit[] {
    return value === undefined ? this.change({}, [key]) : this.change({ [key]: value }, []);
  }

  /** Sets properties of the object under `key`, which is created when missing. */
  setIn(key: string, values: Readonly<Record<string, unknown>>): TextEdit[] {
    if (Object.keys(values).length === 0) return [];
    const inner = this.value(key);
    return inner?.type === 'object'
      ? new ObjectEditor(this.text, inner).change(values, [])
      : this.set(key, values);
  }

  /** Sets some properties and removes others. */
  change(values: Readonly<Record<string, unknown>>, remove: readonly string[]): TextEdit[] {
    const edits: TextEdit[] = [];
    const added: string[] = [];
    const members = this.node.children ?? [];
    const removed = new Set(members.filter((member) => remove.includes(keyOf(member))));
    for (const [key, value] of Object.entries(values)) {
      const present = this.value(key);
      if (present === undefined) added.push(key);
      else if (!sameValue(present, value)) {
        const content = print(value, this.style(present));
        edits.push({ offset: present.offset, length: present.length, content });
      }
    }
    const list = new MemberList(this.text, this.node, this.node.parent === undefined);
    const style = this.style(this.node);
    const contents = added.map(
      (key) => `${JSON.stringify(key)}: ${print(values[key], list.memberStyle(style))}`,
    );
    edits.push(...list.change(removed, contents));
    return edits.sort((left, right) => left.offset - right.offset);
  }

  private property(key: string): Node | undefined {
    return this.node.children?.findLast(
      (member) => keyOf(member) === key && member.children?.[1] !== undefined,
    );
  }

  private style(node: Node): Style {
    return styleAt(this.text, node.offset);
  }
}

/** Changes the elements of one array. */
export class ArrayEditor {
  constructor(
    private readonly text: string,
    private readonly node: Node,
  ) {}

  /** Adds an element behind the last. */
  append(value: unknown): TextEdit[] {
    const list = new MemberList(this.text, this.node, typeof value === 'object');
    const style = list.memberStyle(styleAt(this.text, this.node.offset));
    return list.change(new Set(), [print(value, { ...style, compact: true })]);
  }
}

interface Style {
  /** White space that begins the line. */
  readonly indent: string;
  /** White space per level. */
  readonly unit: string;
  readonly newline: string;
  /** Print objects and arrays on one line. */
  readonly compact?: boolean;
}

/** The members of an object or array with what stands between them. */
class MemberList {
  private readonly members: readonly Node[];
  private readonly multiline: boolean;

  constructor(
    private readonly text: string,
    private readonly node: Node,
    spreadWhenEmpty: boolean,
  ) {
    this.members = node.children ?? [];
    const first = this.members[0];
    const end = first?.offset ?? node.offset + node.length;
    const inside = text.slice(node.offset, end);
    this.multiline = first === undefined ? spreadWhenEmpty : inside.includes('\n');
  }

  /** Style for members: one level deeper, or the line of the list when it stands on one line. */
  memberStyle(outer: Style): Style {
    if (!this.multiline) return { ...outer, compact: true };
    const first = this.members[0];
    const indent = first === undefined ? outer.indent + outer.unit : styleAt(this.text, first.offset).indent;
    return { ...outer, indent };
  }

  /** Removes members and adds new ones: in place of the first that goes, else behind the last. */
  change(removed: ReadonlySet<Node>, added: readonly string[]): TextEdit[] {
    if (removed.size === 0 && added.length === 0) return [];
    const last = this.members.at(-1);
    if (last === undefined || (removed.size === this.members.length && added.length === 0))
      return [this.refill(added)];
    const [place] = removed;
    if (place === undefined) return this.additions(last, added);
    if (added.length === 0) return this.removals(removed);
    const replacement = {
      offset: place.offset,
      length: place.length,
      content: added.join(`,${this.separator(place)}`),
    };
    return [replacement, ...this.removals(new Set([...removed].filter((member) => member !== place)))];
  }

  private separator(member: Node): string {
    if (!this.multiline) return ' ';
    const { newline, indent } = styleAt(this.text, member.offset);
    return newline + indent;
  }

  /** Replaces everything between the brackets but comments, for a list that was or becomes empty. */
  private refill(added: readonly string[]): TextEdit {
    const { node, text } = this;
    const start = node.offset + 1;
    const end = node.offset + node.length - 1;
    const outer = styleAt(text, node.offset);
    const { indent } = this.memberStyle(outer);
    const comments = commentsBetween(text, start, end);
    const spread = this.multiline || comments.some((comment) => comment.startsWith('//'));
    const parts = [
      ...comments,
      ...added.map((member, index) => member + (index < added.length - 1 ? ',' : '')),
    ];
    const separator = spread ? `${outer.newline}${indent}` : ' ';
    const close = spread ? `${outer.newline}${outer.indent}` : ' ';
    const content = parts.length === 0 ? '' : separator + parts.join(separator) + close;
    return {
      offset: start,
      length: end - start,
      content: node.type === 'array' && !spread ? content.trim() : content,
    };
  }

  /** Each removed member goes with the comma that separated it and with the white space in front of it. */
  private removals(removed: ReadonlySet<Node>): TextEdit[] {
    return this.members.flatMap((member, index) => {
      if (!removed.has(member)) return [];
      const end = member.offset + member.length;
      const comma = commaAfter(this.text, end, this.node.offset + this.node.length);
      const laterKept = this.members.slice(index + 1).some((other) => !removed.has(other));
      if (laterKept && comma !== undefined) {
        const next = this.members[index + 1]?.offset ?? comma + 1;
        // Comments behind the comma belong to what follows.
        const gap = /^[ \t\r\n]*/.exec(this.text.slice(comma + 1, next))?.[0].length ?? 0;
        return [
          { offset: member.offset, length: member.length, content: '' },
          { offset: comma, length: 1 + gap, content: '' },
        ].filter(({ length }) => length > 0);
      }
      // Behind the last that stays: the comma in front of it goes, comments stay.
      const before = this.commaBefore(index);
      const start = before ?? member.offset;
      const between = before === undefined ? '' : this.text.slice(before + 1, member.offset);
      return [{ offset: start, length: end - start, content: between.trim() === '' ? '' : between }];
    });
  }

  private commaBefore(index: number): number | undefined {
    const previous = this.members[index - 1];
    if (previous === undefined) return undefined;
    return commaAfter(this.text, previous.offset + previous.length, this.members[index]?.offset ?? 0);
  }

  private additions(last: Node, added: readonly string[]): TextEdit[] {
    const { text, node } = this;
    const end = last.offset + last.length;
    const close = node.offset + node.length - 1;
    const comma = commaAfter(text, end, close);
    const separator = this.separator(last);
    const content = added.map((member) => separator + member).join(',');
    // A comment on the line of the last member is about that member, so the new one goes behind it.
    const from = comma === undefined ? end : comma + 1;
    const comment = sameLineComments(text, from, close);
    if (comment === from && comma === undefined) return [{ offset: end, length: 0, content: `,${content}` }];
    const placed = this.behindComment(content, last, comment);
    if (comma !== undefined) return [{ offset: comment, length: 0, content: `${placed},` }];
    return [
      { offset: end, length: 0, content: ',' },
      { offset: comment, length: 0, content: placed },
    ];
  }

  /** A line comment swallows what follows on its line. */
  private behindComment(content: string, last: Node, offset: number): string {
    if (this.multiline || !this.text.slice(last.offset + last.length, offset).includes('//')) return content;
    const { newline, indent } = styleAt(this.text, this.node.offset);
    return newline + indent + content.trimStart();
  }
}

function keyOf(member: Node): string {
  return String(member.children?.[0]?.value);
}

/** Numbers of jsonc-parser's `SyntaxKind`, a const enum that isolated modules cannot import. */
const token = { comma: 5, lineComment: 12, blockComment: 13, newline: 14, space: 15, end: 17 };

/** Offset of the comma behind a member, comments between them skipped. */
function commaAfter(text: string, from: number, limit: number): number | undefined {
  for (const { kind, offset } of tokens(text, from, limit)) {
    if (kind === token.comma) return offset;
    if (
      kind !== token.lineComment &&
      kind !== token.blockComment &&
      kind !== token.newline &&
      kind !== token.space
    )
      return undefined;
  }
  return undefined;
}

/** End of the comments that begin on the same line, `from` when there are none. */
function sameLineComments(text: string, from: number, limit: number): number {
  let end = from;
  for (const { kind, offset, length } of tokens(text, from, limit)) {
    if (kind === token.lineComment) return offset + length;
    if (kind === token.blockComment) end = offset + length;
    else if (kind !== token.space) return end;
  }
  return end;
}

function commentsBetween(text: string, from: number, limit: number): string[] {
  return tokens(text, from, limit)
    .filter(({ kind }) => kind === token.lineComment || kind === token.blockComment)
    .map(({ offset, length }) => text.slice(offset, offset + length));
}

function tokens(
  text: string,
  from: number,
  limit: number,
): { kind: number; offset: number; length: number }[] {
  const scanner = createScanner(text.slice(from, limit), false);
  const found: { kind: number; offset: number; length: number }[] = [];
  for (let kind: number = scanner.scan(); kind !== token.end; kind = scanner.scan()) {
    found.push({ kind, offset: from + scanner.getTokenOffset(), length: scanner.getTokenLength() });
  }
  return found;
}

/** Indentation of the line an offset stands on, and the text's own unit and line end. */
function styleAt(text: string, offset: number): Style {
  const line = text.lastIndexOf('\n', offset - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(line, offset))?.[0] ?? '';
  const unit = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ';
  return { indent, unit, newline: text.includes('\r\n') ? '\r\n' : '\n' };
}

function print(value: unknown, style: Style): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    const nested = value.some((item) => typeof item === 'object' && item !== null);
    if (style.compact || !nested)
      return `[${value.map((item) => print(item, { ...style, compact: true })).join(', ')}]`;
    const indent = style.indent + style.unit;
    const items = value.map((item) => `${style.newline}${indent}${print(item, { ...style, compact: true })}`);
    return `[${items.join(',')}${style.newline}${style.indent}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, item]) => item !== undefined);
    if (members.length === 0) return '{}';
    return `{ ${members.map(([key, item]) => `${JSON.stringify(key)}: ${print(item, { ...style, compact: true })}`).join(', ')} }`;
  }
  return JSON.stringify(value) ?? 'null';
}

function sameValue(node: Node, value: unknown): boolean {
  return JSON.stringify(plain(node)) === JSON.stringify(value);
}

function plain(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(plain);
  if (node.type !== 'object') return node.value;
  return Object.fromEntries(
    (node.children ?? []).map((member) => [keyOf(member), member.children?.[1] && plain(member.children[1])]),
  );
}
